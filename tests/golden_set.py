"""The golden set: readings of every kind of exam, whose objects all have to be valid.

Readings are made as values, without pixels; what the detector finds is no matter here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from secondread.codes import Distribution, Morphology
from secondread.findings.comparison import (
    Difference,
    FindingChange,
    FindingRef,
    Look,
    StudyComparison,
    Verdict,
    ViewComparison,
)
from secondread.findings.finding import Finding, LeftOut, PriorStudy, StudyReading
from secondread.findings.treatment import Basis, Placing, Zone
from secondread.followup.applied import with_comparisons
from secondread.followup.second_look import Looked, subject, with_looks
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.compose import compose, to_bytes
from secondread.report.result import Occasion, ResultObject
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.followed import followed, in_one_quadrant, mixed
from tests.unit.report.readings import (
    AT,
    FOUR_VIEWS,
    NODE,
    STUDY,
    UIDS,
    by_uid,
    cluster,
    read,
    refused,
    source,
    study,
)

EVERYTHING = ProfileSettings(objects=tuple(ObjectKind), not_eligible_as_failed_sr=True)
PROFILES = {
    "": EVERYTHING,
    "SRT, all findings, UTF-8": EVERYTHING.model_copy(
        update={"snomed_codes": "SRT", "findings": "all", "character_set": "ISO_IR 192"}
    ),
}

PRIOR = f"{STUDY}.77"
TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"


@dataclass(frozen=True, slots=True)
class Exam:
    """One exam of the set."""

    reading: StudyReading
    sources: dict[str, Dataset]
    later: bool = False
    """Whether its objects replace earlier ones."""

    def display(self, uid: str) -> npt.NDArray[np.uint8]:
        """A ramp of the size that the image's header states."""
        ds = self.sources[uid]
        ramp = np.linspace(10, 120, int(ds.Columns), dtype=np.uint8)
        return np.broadcast_to(ramp, (int(ds.Rows), int(ds.Columns)))


def _described(number: int, label: str, **changes: object) -> Finding:
    values: dict[str, Any] = {
        "suspicion": 12.5,
        "morphology": ((Morphology.AMORPHOUS, 0.6), (Morphology.PUNCTATE, 0.3)),
        "distribution": ((Distribution.GROUPED, 0.8),),
        "zone": Placing(Zone.NEAR, Basis.CLIPS, 21.0, 4.0),
    }
    place = (150.5 + 110 * (number % 5), 150.5 + 120 * (number // 5))
    return cluster(number, place, label, **(values | changes))


def _views(**attributes: object) -> dict[str, Dataset]:
    return {label: source(label, **attributes) for label in FOUR_VIEWS}


def _exam(outcome: Outcome, views: dict[str, Dataset], *labels: str, many: int = 1) -> Exam:
    """Return an exam with so many clusters in each of the views named."""
    images = [
        read(ds, *(_described(n, label) for n in range(1, many + 1) if label in labels))
        for label, ds in views.items()
    ]
    return Exam(study(outcome, *images), by_uid(*views.values()))


def _of_images(**attributes: object) -> Exam:
    """Return an exam with a cluster, whose images have these attributes."""
    return _exam(Outcome.FINDINGS, _views(**attributes), "LCC")


def _followed(verdict: Verdict) -> Exam:
    """Return an exam with one finding of which the prior says this."""
    current = source("LCC")
    old = source(
        "LCC",
        SOPInstanceUID=f"{PRIOR}.1.1",
        StudyInstanceUID=PRIOR,
        SeriesInstanceUID=f"{PRIOR}.1",
        StudyDate="20250106",
        AcquisitionDate="20250106",
        ContentDate="20250106",
    )
    here = FindingRef(STUDY, str(current.SOPInstanceUID), "LCC-1")
    there = FindingRef(PRIOR, str(old.SOPInstanceUID), "LCC-1")
    unmatched = {Verdict.NEW, Verdict.NOT_IN_FIELD, Verdict.NOT_COMPARABLE}
    gone = verdict is Verdict.GONE
    change = FindingChange(
        verdict,
        None if gone else here,
        () if verdict in unmatched else (there,),
        number=None if gone or verdict in unmatched else Difference(7, 3, 1.2, 5.5),
        place=cluster().outline if gone or verdict is Verdict.NEW else (),
        error_mm=1.5,
        why="the views have nothing in common" if verdict is Verdict.NOT_COMPARABLE else "",
    )
    view = ViewComparison(
        here.sop_instance_uid, there.sop_instance_uid, same_unit=True, error_mm=1.2, aligned=True
    )
    comparison = StudyComparison(PRIOR, date(2025, 1, 6), "prior re-read", (view,), (change,))
    found = () if gone else (_described(1, "LCC", change=verdict.change),)
    earlier = replace(
        study(Outcome.FINDINGS, read(old, *([] if verdict in unmatched else [cluster()]))),
        study_uid=PRIOR,
    )
    reading = replace(
        study(Outcome.NO_FINDINGS if gone else Outcome.FINDINGS, read(current, *found)),
        priors=(PriorStudy(PRIOR, date(2025, 1, 6), compared=True, reason=None),),
        comparisons=(comparison,),
        earlier=(earlier,),
    )
    return Exam(reading, by_uid(current, old))


def _refusals() -> Iterator[tuple[str, Exam]]:
    """Return the situations in which something was not read."""
    views = _views()
    headers, labels = by_uid(*views.values()), list(views)
    plain = [read(views[label]) for label in labels]
    failed = read(
        views["RMLO"], status=ImageStatus.FAILED, reasons=(Reason.TIME_LIMIT,), detail="120 s"
    )
    found = read(views["LCC"], _described(1, "LCC"))

    def made(outcome: Outcome, *images: object, reasons: tuple[Reason, ...] = ()) -> Exam:
        return Exam(study(outcome, *images, reasons=reasons), headers)  # type: ignore[arg-type]

    yield (
        "all images refused",
        made(
            Outcome.FAILED,
            *(refused(views[label]) for label in labels),
            reasons=(Reason.ALL_IMAGES_REFUSED,),
        ),
    )
    yield (
        "some images refused, some findings",
        made(
            Outcome.PARTIAL,
            plain[0],
            found,
            refused(views["RMLO"]),
            plain[3],
            reasons=(Reason.SOME_IMAGES_REFUSED,),
        ),
    )
    yield "one view failed", made(Outcome.PARTIAL, *plain[:2], failed, plain[3])
    yield (
        "all views failed",
        made(
            Outcome.FAILED,
            *(replace(failed, mammogram=image.mammogram) for image in plain),
            reasons=(Reason.READING_FAILED,),
        ),
    )
    yield (
        "views missing",
        Exam(replace(study(Outcome.PARTIAL, *plain[:2]), missing_views=("RMLO", "LMLO")), headers),
    )


def _left_out(outcome: Outcome, *parts: tuple[str, Reason, dict[str, object]]) -> Exam:
    """Return an exam with instances outside the scope, beside two views if it was read."""
    views = [source("LCC"), source("LMLO")] if outcome is not Outcome.NOT_ELIGIBLE else []
    others = [
        source(label, SOPInstanceUID=f"{STUDY}.88.{number}", **attributes)
        for number, (label, _, attributes) in enumerate(parts, start=1)
    ]
    left_out = tuple(
        LeftOut(str(ds.SOPInstanceUID), label, reason)
        for ds, (label, reason, _) in zip(others, parts, strict=True)
    )
    reasons = () if views else (Reason.NOTHING_IN_SCOPE,)
    findings = [_described(1, "LCC")] if outcome is Outcome.FINDINGS else []
    images = [read(ds, *(findings if not n else [])) for n, ds in enumerate(views)]
    reading = replace(study(outcome, *images, reasons=reasons), left_out=left_out)
    return Exam(reading, by_uid(*views, *others))


VOLUME: dict[str, object] = {"SOPClassUID": TOMOSYNTHESIS, "NumberOfFrames": 40}
SYNTHESIZED: dict[str, object] = {"ImageType": ["DERIVED", "PRIMARY", "GENERATED_2D"]}


def _scopes() -> Iterator[tuple[str, Exam]]:
    volume = ("LCC", Reason.TOMOSYNTHESIS, VOLUME)
    yield "tomosynthesis only", _left_out(Outcome.NOT_ELIGIBLE, volume)
    yield (
        "nothing in scope",
        _left_out(
            Outcome.NOT_ELIGIBLE,
            ("LCC", Reason.MAGNIFICATION, {}),
            ("LMLO", Reason.SYNTHESIZED_2D, SYNTHESIZED),
        ),
    )
    yield (
        "FFDM with tomosynthesis and synthesised 2-D",
        _left_out(Outcome.FINDINGS, volume, ("LCC", Reason.SYNTHESIZED_2D, SYNTHESIZED)),
    )


def _images() -> Iterator[tuple[str, Exam]]:
    names = {
        "Japanese name": (["", "ISO 2022 IR 87"], "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce"),
        "Greek name": ("ISO_IR 126", "\u0394\u03b9\u03bf\u03bd\u03c5\u03c3\u03b9\u03bf\u03c2^A"),
        "UTF-8 name": ("ISO_IR 192", "Wang^XiaoDong=\u738b^\u5c0f\u4e1c"),
    }
    for what, (character_set, name) in names.items():
        yield what, _of_images(SpecificCharacterSet=character_set, PatientName=name)
    for bits in (8, 12, 14, 16):
        allocated = 8 if bits == 8 else 16
        yield (
            f"{bits} bits",
            _of_images(BitsAllocated=allocated, BitsStored=bits, HighBit=bits - 1),
        )
    yield (
        "MONOCHROME1",
        _of_images(PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE"),
    )
    yield (
        "For Processing",
        _of_images(
            SOPClassUID="1.2.840.10008.5.1.4.1.1.1.2.1", PresentationIntentType="FOR PROCESSING"
        ),
    )
    yield (
        "a window",
        _of_images(WindowCenter=["2048", "1500"], WindowWidth=["4096", "80"]),
    )
    yield "no spacing", _of_images(ImagerPixelSpacing=None)
    yield "no orientation", _of_images(PatientOrientation="")
    yield "a time zone", _of_images(TimezoneOffsetFromUTC="+0900")
    yield "lossy", _of_images(LossyImageCompression="01", LossyImageCompressionRatio="10")
    yield "no identity", _of_images(PatientID="", PatientName="", StudyDate="", StudyTime="")


def looked(look: Look) -> Exam:
    """Return an exam with a finding that is new by the prior's findings, and was looked for again.

    Parameters
    ----------
    look
        What came of that.
    """
    exam = _followed(Verdict.NEW)
    (comparison,) = exam.reading.comparisons
    (change,), (view,) = comparison.changes, comparison.views
    assert change.current is not None
    assert view.prior_sop_instance_uid is not None
    (finding,) = [one for image in exam.reading.images for one in image.shown]
    look = replace(look, prior_image=view.prior_sop_instance_uid)
    said = Looked(change.current, subject(finding), look, change.place, change.error_mm)
    comparison = with_looks(comparison, exam.reading, [said])
    return replace(exam, reading=with_comparisons(exam.reading, [comparison]))


SEEN = Look(seen=True, places=40)
NOT_SEEN = Look(seen=False, places=40, as_high=24)
NO_LOOK = Look(seen=False, why_not="the prior's image could not be read again")


def golden_exams() -> Mapping[str, Exam]:
    """Return the set by what each exam is."""
    unilateral = {label: ds for label, ds in _views().items() if label.startswith("L")}
    two_views = _exam(Outcome.FINDINGS, _views(), "LCC", "LMLO")
    return {
        "no finding": _exam(Outcome.NO_FINDINGS, _views()),
        "one cluster in two views": two_views,
        "many clusters": _exam(Outcome.FINDINGS, _views(), "LCC", "RMLO", many=9),
        "unilateral": _exam(Outcome.FINDINGS, unilateral, "LCC"),
        "a revision": replace(two_views, later=True),
        "every kind of item": Exam(*mixed()),
        "both views and a prior": Exam(*followed()),
        "both views in one quadrant": Exam(*in_one_quadrant()),
        **{f"change: {verdict.words}": _followed(verdict) for verdict in Verdict},
        "second look: seen": looked(SEEN),
        "second look: not seen": looked(NOT_SEEN),
        "second look: not possible": looked(NO_LOOK),
        **dict(_refusals()),
        **dict(_scopes()),
        **dict(_images()),
    }


DOZEN = (
    "no finding",
    "one cluster in two views",
    "many clusters",
    "a revision",
    "both views and a prior",
    "change: new",
    "change: gone",
    "all images refused",
    "some images refused, some findings",
    "tomosynthesis only",
    "FFDM with tomosynthesis and synthesised 2-D",
    "Japanese name",
    "MONOCHROME1",
)
"""What every run of the tests looks at."""


def objects(exam: Exam, profile: ProfileSettings = EVERYTHING) -> tuple[ResultObject, ...]:
    """Return everything that is made of an exam."""
    replaced = (STUDY, "1.2.3.5", "1.2.3.6")
    occasion = (
        Occasion(AT, replaced, AT, replaced_measurements=(STUDY, "1.2.3.7", "1.2.3.8"))
        if exam.later
        else Occasion(AT, None)
    )
    uids = replace(UIDS, study_uid=exam.reading.study_uid)
    return compose(exam.reading, exam.sources, exam.display, NODE, uids, occasion, profile)


def write(
    folder: Path, exam: Exam, profile: ProfileSettings = EVERYTHING
) -> Iterator[tuple[ResultObject, Path]]:
    """Write everything that is made of an exam into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in objects(exam, profile):
        path = folder / f"{result.kind}-{result.index}.dcm"
        path.write_bytes(to_bytes(result.dataset))
        yield result, path
