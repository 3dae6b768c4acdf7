"""The model that the settings name, with its operating point and calibration, for a page."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from secondread.errors import SecondreadError
from secondread.settings import Settings


@dataclass(frozen=True, slots=True)
class ModelLine:
    """What there is to say of the model."""

    name: str
    digest: str
    """What readings are made with is named by this."""
    operating_point: str
    calibration: str
    fault: str = ""
    """Why it cannot be used; nothing else is known then."""


def describe_model(settings: Settings) -> ModelLine:
    """Return what there is to say of the model, which is read from its files once."""
    detect = settings.detect
    point = settings.findings.operating_point
    return _describe(detect.manifest, detect.site_calibration, point)


@lru_cache(maxsize=4)
def _describe(path: Path | None, site: Path | None, number: int) -> ModelLine:
    # What this needs takes a while to import, and the pages are there before.
    from secondread.codes import MarkClass
    from secondread.detect.manifest import load_manifest

    try:
        manifest = load_manifest(path, site)
        point = manifest.find_operating_point(number)
    except SecondreadError as error:
        return ModelLine("", "", "", "", str(error))
    least = point.minimum_certainty.get(MarkClass.CLUSTER)
    shown = "shows no cluster" if least is None else f"clusters from certainty {least:g}"
    marks = f"{point.false_marks_per_image:g} false marks an image on {point.stated_on}"
    if manifest.site is not None:
        calibration = f"by {manifest.site.exams} exams of this site, {manifest.site.made_on}"
    else:
        calibration = "the model's own" if manifest.calibrated else "certainty is not calibrated"
    return ModelLine(
        name=f"{manifest.name} {manifest.version}",
        digest=manifest.digest,
        operating_point=f"{point.number} {point.name}: {shown}, {marks}",
        calibration=calibration,
    )
