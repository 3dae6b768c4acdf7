"""A function that is called again with what it was called with before, by the steps of a run.

Each step gathers its inputs anew, since they may have changed. Mostly they have not, and what was
made of them is at hand.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")

_MOST = 8
"""Calls that are remembered: a study and its priors."""


class Remembered(Generic[Given, Result]):
    """Calls a pure function, unless it knows the result for equal arguments.

    Parameters
    ----------
    function
        Depends on its arguments alone, which nobody changes.
    """

    def __init__(self, function: Callable[Given, Result]) -> None:
        self._function = function
        self._calls: deque[tuple[object, object, Result]] = deque(maxlen=_MOST)

    def __call__(self, *given: Given.args, **named: Given.kwargs) -> Result:
        """Return what the function returns."""
        for known, known_named, result in self._calls:
            if known == given and known_named == named:
                return result
        result = self._function(*given, **named)
        self._calls.append((given, named, result))
        return result
