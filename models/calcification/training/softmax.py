"""Multinomial logistic regression that stays near a rule where there are few data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

Values = npt.NDArray[np.float64]
Answers = npt.NDArray[np.int64]

LIMIT = 3.0
"""Greatest distance of a feature from its mean, in standard deviations."""


def _fit_weights(
    values: Values, answers: Answers, counted: Values, start: Values, decay: float
) -> tuple[Values, Values]:
    """Return the weights, one row a word, and the constants of the words.

    Parameters
    ----------
    values
        (examples, features), scaled.
    answers
        Index of the right word.
    counted
        How often each example counts.
    start
        (words, features): the rule's weights.
    decay
        Penalty on the squared distance of the weights from the rule's, against the negative log
        likelihood summed over the examples. The constants are free.
    """
    words, features = start.shape
    right = np.eye(words)[answers]

    def loss(flat: Values) -> tuple[float, Values]:
        table = flat.reshape(words, features + 1)
        logs = np.asarray(log_softmax(values @ table[:, :-1].T + table[:, -1], axis=1), np.float64)
        away = table[:, :-1] - start
        wrong = (np.exp(logs) - right) * counted[:, None]
        slope = np.column_stack([wrong.T @ values + decay * away, wrong.sum(axis=0)])
        likelihood = float((counted[:, None] * right * logs).sum())
        return 0.5 * decay * float((away**2).sum()) - likelihood, slope.ravel()

    first = np.column_stack([start, np.zeros(words)]).ravel()
    minimum = minimize(loss, first, jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    table = np.asarray(minimum.x, np.float64).reshape(words, features + 1)
    return table[:, :-1], table[:, -1]


@dataclass(frozen=True, slots=True)
class SoftmaxFit:
    """The numbers of a table."""

    means: Values
    scales: Values
    weights: Values
    constants: Values

    def shares(self, values: Values) -> Values:
        """Return the probability of each word, (examples, words)."""
        scaled = np.clip((values - self.means) / self.scales, -LIMIT, LIMIT)
        return np.asarray(softmax(scaled @ self.weights.T + self.constants, axis=1), np.float64)


def fit_table(
    values: Values, answers: Answers, counted: Values, rule: Values, decay: float
) -> SoftmaxFit:
    """Fit a table.

    Parameters
    ----------
    rule
        (words, features): the weights of unscaled features without any data.
    """
    means = np.average(values, axis=0, weights=counted)
    scales = np.sqrt(np.average((values - means) ** 2, axis=0, weights=counted)) + 1e-6
    scaled = np.clip((values - means) / scales, -LIMIT, LIMIT)
    weights, constants = _fit_weights(scaled, answers, counted, rule * scales, decay)
    return SoftmaxFit(means, scales, weights, constants)


def assign_folds(names: Sequence[str], count: int) -> npt.NDArray[np.int64]:
    """Return the fold of each example, 0 to `count` - 1: examples of one name share one."""
    place = {name: number % count for number, name in enumerate(sorted(set(names)))}
    return np.array([place[name] for name in names], np.int64)
