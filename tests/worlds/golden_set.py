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
from secondread.findings.changes import (
    ChangeKind,
    FindingChange,
    FindingRef,
    MeasuredDifference,
    Recheck,
    StudyComparison,
    ViewComparison,
)
from secondread.findings.finding import Finding, LeftOutInstance, PriorStudy, StudyReading
from secondread.findings.treatment import Zone, ZoneBasis, ZonePlacement
from secondread.findings.view_pair import RepeatPair
from secondread.followup.follow_up import add_comparisons
from secondread.followup.recheck import RecheckedFinding, apply_rechecks, describe_subject
from secondread.reasons import ImageStatus, Outcome, Reason
from secondread.report.compose import compose_results
from secondread.report.encoding import encode_file
from secondread.report.result import Authorship, Occasion, ResultObject
from secondread.settings import ObjectKind, ProfileSettings
from tests.unit.report.followed import (
    make_described_study,
    make_followed_study,
    make_mixed_study,
    make_one_quadrant_study,
)
from tests.unit.report.readings import (
    FOUR_VIEWS,
    NODE,
    STUDY,
    UIDS,
    WRITTEN_AT,
    index_by_uid,
    make_cluster,
    make_header,
    make_image_reading,
    make_refused_image,
    make_study_reading,
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
        "placement": ZonePlacement(Zone.NEAR, ZoneBasis.CLIPS, 21.0, 4.0),
    }
    place = (150.5 + 110 * (number % 5), 150.5 + 120 * (number // 5))
    return make_cluster(number, place, label, **(values | changes))


def _views(**attributes: object) -> dict[str, Dataset]:
    return {label: make_header(label, **attributes) for label in FOUR_VIEWS}


def _exam(outcome: Outcome, views: dict[str, Dataset], *labels: str, many: int = 1) -> Exam:
    """Return an exam with so many clusters in each of the views named."""
    images = [
        make_image_reading(
            ds, *(_described(n, label) for n in range(1, many + 1) if label in labels)
        )
        for label, ds in views.items()
    ]
    return Exam(make_study_reading(outcome, *images), index_by_uid(*views.values()))


def _repeated() -> Exam:
    """Return an exam whose left cranio-caudal view came twice: a cluster near clips in both."""
    again = make_header("LCC", SOPInstanceUID=f"{STUDY}.9", AcquisitionTime="102500")
    views = {**_views(), "LCC2": again}
    near = ZonePlacement(Zone.NEAR_CLIPS, ZoneBasis.CLIPS, clip_mm=7.0, clips=2)
    images = [
        make_image_reading(
            ds, *([_described(1, label, placement=near)] if label.startswith("LCC") else ())
        )
        for label, ds in views.items()
    ]
    reading = make_study_reading(Outcome.FINDINGS, *images)
    first, second = (
        image.refer_to(finding) for image in reading.images for finding in image.findings
    )
    repeats = (RepeatPair(first, second, 1.0),)
    return Exam(replace(reading, repeat_pairs=repeats), index_by_uid(*views.values()))


def _of_images(**attributes: object) -> Exam:
    """Return an exam with a cluster, whose images have these attributes."""
    return _exam(Outcome.FINDINGS, _views(**attributes), "LCC")


def _followed(verdict: ChangeKind) -> Exam:
    """Return an exam with one finding of which the prior says this."""
    current = make_header("LCC")
    old = make_header(
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
    unmatched = {ChangeKind.NEW, ChangeKind.NOT_IN_FIELD, ChangeKind.NOT_COMPARABLE}
    gone = verdict is ChangeKind.GONE
    change = FindingChange(
        verdict,
        None if gone else here,
        () if verdict in unmatched else (there,),
        number=None if gone or verdict in unmatched else MeasuredDifference(7, 3, 1.2, 5.5),
        place=make_cluster().outline if gone or verdict is ChangeKind.NEW else (),
        error_mm=1.5,
        why_not="the views have nothing in common" if verdict is ChangeKind.NOT_COMPARABLE else "",
    )
    view = ViewComparison(
        here.sop_instance_uid, there.sop_instance_uid, same_unit=True, error_mm=1.2, aligned=True
    )
    comparison = StudyComparison(PRIOR, date(2025, 1, 6), "prior re-read", (view,), (change,))
    found = () if gone else (_described(1, "LCC", change=verdict.change),)
    earlier = replace(
        make_study_reading(
            Outcome.FINDINGS,
            make_image_reading(old, *([] if verdict in unmatched else [make_cluster()])),
        ),
        study_uid=PRIOR,
    )
    reading = replace(
        make_study_reading(
            Outcome.NO_FINDINGS if gone else Outcome.FINDINGS, make_image_reading(current, *found)
        ),
        priors=(PriorStudy(PRIOR, date(2025, 1, 6), compared=True, reason=None),),
        comparisons=(comparison,),
        prior_readings=(earlier,),
    )
    return Exam(reading, index_by_uid(current, old))


def _refusals() -> Iterator[tuple[str, Exam]]:
    """Return the situations in which something was not read."""
    views = _views()
    headers, labels = index_by_uid(*views.values()), list(views)
    plain = [make_image_reading(views[label]) for label in labels]
    failed = make_image_reading(
        views["RMLO"], status=ImageStatus.FAILED, reasons=(Reason.TIME_LIMIT,), detail="120 s"
    )
    found = make_image_reading(views["LCC"], _described(1, "LCC"))

    def made(outcome: Outcome, *images: object, reasons: tuple[Reason, ...] = ()) -> Exam:
        return Exam(make_study_reading(outcome, *images, reasons=reasons), headers)  # type: ignore[arg-type]

    yield (
        "all images refused",
        made(
            Outcome.FAILED,
            *(make_refused_image(views[label]) for label in labels),
            reasons=(Reason.ALL_IMAGES_REFUSED,),
        ),
    )
    yield (
        "some images refused, some findings",
        made(
            Outcome.PARTIAL,
            plain[0],
            found,
            make_refused_image(views["RMLO"]),
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
        Exam(
            replace(
                make_study_reading(Outcome.PARTIAL, *plain[:2]), missing_views=("RMLO", "LMLO")
            ),
            headers,
        ),
    )


def _left_out(outcome: Outcome, *parts: tuple[str, Reason, dict[str, object]]) -> Exam:
    """Return an exam with instances outside the scope, beside two views if it was read."""
    views = [make_header("LCC"), make_header("LMLO")] if outcome is not Outcome.NOT_ELIGIBLE else []
    others = [
        make_header(label, SOPInstanceUID=f"{STUDY}.88.{number}", **attributes)
        for number, (label, _, attributes) in enumerate(parts, start=1)
    ]
    left_out = tuple(
        LeftOutInstance(str(ds.SOPInstanceUID), label, reason)
        for ds, (label, reason, _) in zip(others, parts, strict=True)
    )
    reasons = () if views else (Reason.NOTHING_IN_SCOPE,)
    findings = [_described(1, "LCC")] if outcome is Outcome.FINDINGS else []
    images = [make_image_reading(ds, *(findings if not n else [])) for n, ds in enumerate(views)]
    reading = replace(make_study_reading(outcome, *images, reasons=reasons), left_out=left_out)
    return Exam(reading, index_by_uid(*views, *others))


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


def looked(look: Recheck) -> Exam:
    """Return an exam with a finding that is new by the prior's findings, and was looked for again.

    Parameters
    ----------
    look
        What came of that.
    """
    exam = _followed(ChangeKind.NEW)
    (comparison,) = exam.reading.comparisons
    (change,), (view,) = comparison.changes, comparison.views
    assert change.current is not None
    assert view.prior_sop_instance_uid is not None
    (finding,) = [one for image in exam.reading.images for one in image.shown_findings]
    look = replace(look, prior_image=view.prior_sop_instance_uid)
    said = RecheckedFinding(
        change.current, describe_subject(finding), look, change.place, change.error_mm
    )
    comparison = apply_rechecks(comparison, exam.reading, [said])
    return replace(exam, reading=add_comparisons(exam.reading, [comparison]))


SEEN = Recheck(seen=True, other_places=40)
NOT_SEEN = Recheck(seen=False, other_places=40, as_similar=24)
NO_LOOK = Recheck(seen=False, why_not="the prior's image could not be read again")


def golden_exams() -> Mapping[str, Exam]:
    """Return the set by what each exam is."""
    unilateral = {label: ds for label, ds in _views().items() if label.startswith("L")}
    two_views = _exam(Outcome.FINDINGS, _views(), "LCC", "LMLO")
    return {
        "no finding": _exam(Outcome.NO_FINDINGS, _views()),
        "one cluster in two views": two_views,
        "many clusters": _exam(Outcome.FINDINGS, _views(), "LCC", "RMLO", many=9),
        "one view twice": _repeated(),
        "unilateral": _exam(Outcome.FINDINGS, unilateral, "LCC"),
        "a revision": replace(two_views, later=True),
        "every kind of item": Exam(*make_mixed_study()),
        "types that are uncertain": Exam(*make_described_study()),
        "both views and a prior": Exam(*make_followed_study()),
        "both views in one quadrant": Exam(*make_one_quadrant_study()),
        **{f"change: {verdict.words}": _followed(verdict) for verdict in ChangeKind},
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
    "one view twice",
    "a revision",
    "types that are uncertain",
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
        Occasion(
            WRITTEN_AT, replaced, WRITTEN_AT, predecessor_measurements=(STUDY, "1.2.3.7", "1.2.3.8")
        )
        if exam.later
        else Occasion(WRITTEN_AT, None)
    )
    uids = replace(UIDS, study_uid=exam.reading.study_uid)
    return compose_results(
        exam.reading, exam.sources, exam.display, Authorship(NODE, uids, occasion, profile)
    )


def write(
    folder: Path, exam: Exam, profile: ProfileSettings = EVERYTHING
) -> Iterator[tuple[ResultObject, Path]]:
    """Write everything that is made of an exam into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for result in objects(exam, profile):
        path = folder / f"{result.kind}-{result.index}.dcm"
        path.write_bytes(encode_file(result.dataset))
        yield result, path
