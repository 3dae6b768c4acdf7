"""What computed a result, as TID 4019 Algorithm Identification names it: the parts of a model."""

from collections.abc import Iterable
from enum import StrEnum

from secondread.codes import ResultStatus
from secondread.findings.finding import ImageReading, ModelIdentity
from secondread.report import concepts
from secondread.report.sr import tree
from secondread.report.sr.tree import TreeItem
from secondread.report.sr.wording import describe_operating_point, to_ascii


class AlgorithmPart(StrEnum):
    """A part of the model, by what it does: follows the model's name in Algorithm Name."""

    CALCIFICATIONS = "individual calcifications"
    CLUSTERS = "calcification clusters"
    GATES = "gates on image quality"
    COMPARISON = "comparison with priors"
    CORRELATION = "correlation of views"


def identify_algorithm(
    model: ModelIdentity, part: AlgorithmPart, parameters: Iterable[str] = ()
) -> tuple[TreeItem, ...]:
    """Return the items of TID 4019 Algorithm Identification, in its order.

    Which row comes first is fixed (Order Significant): name, version, then the parameters.
    """
    return (
        tree.text(concepts.ALGORITHM_NAME, to_ascii(f"{model.name}: {part}")),
        tree.text(concepts.ALGORITHM_VERSION, to_ascii(model.version)),
        *(tree.text(concepts.ALGORITHM_PARAMETERS, to_ascii(value)) for value in parameters),
    )


def list_model_parameters(model: ModelIdentity) -> tuple[str, ...]:
    """Return what has to be known to repeat a reading, as Algorithm Parameters."""
    return (
        f"manifest_sha256={model.digest}",
        f"operating_point={model.operating_point}",
        *(() if model.site_exams is None else (describe_operating_point(model),)),
        "certainty calibrated" if model.calibrated else "certainty not calibrated",
    )


def list_gate_parameters(image: ImageReading) -> tuple[str, ...]:
    """Return the gate values of one image as one Algorithm Parameters text; none without gates."""
    values = (
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in sorted(image.gates.items())
    )
    joined = "; ".join(values)
    return (f"gates: {joined}",) if joined else ()


def combine_successes(successes: Iterable[bool]) -> ResultStatus:
    """Return the status of several algorithms (CID 6042), from whether each succeeded."""
    successes = set(successes)
    if len(successes) == 2:
        return ResultStatus.PARTIALLY_SUCCEEDED
    if not successes:
        return ResultStatus.NOT_ATTEMPTED
    return ResultStatus.SUCCEEDED if True in successes else ResultStatus.FAILED
