"""The contact sheet of the documents: every kind of picture, of simulated and constructed exams.

`python -m tests.worlds.picture_sheet service/docs/images/pictures.jpg` makes it anew, in a minute.
The demo's exam is simulated and read with the shipped model; the others are constructed, so that
each picture has what it is there to show.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from secondread.cli.commands import app
from secondread.codes import Distribution, Morphology
from secondread.findings.finding import Finding, ImageReading, StudyReading
from secondread.followup.comparison import compare_with_priors
from secondread.followup.follow_up import follow_up
from secondread.followup.lesion_numbers import number_lesions
from secondread.followup.timeline import LesionAbsence, Sighting, build_histories
from secondread.reasons import Outcome
from secondread.report.pages.breast_panel import find_drawing_spacing
from secondread.report.pages.captures import make_overview, make_view_captures
from secondread.report.pages.crop import encode_crop
from secondread.report.pages.display_array import DisplayArray
from secondread.report.pages.drawing import BACKGROUND, TEXT, draw_text
from secondread.report.pages.notice import make_notice
from secondread.report.pages.timeline_picture import draw_timeline
from secondread.report.result import Authorship, Occasion, ResultObject
from secondread.settings import ProfileSettings
from tests.unit.followup.breasts import Lie, Spot, group, reading
from tests.unit.report.followed import make_image_header
from tests.unit.report.readings import NODE, UIDS, make_situations

WIDTH, COLUMNS = 560, 3
"""Columns of pixels of a picture on the sheet, and pictures in a row."""
_CAPTION, _GAP = 34, 14
_HISTORY_WORDS = {
    (1, False): "unchanged",
    (1, True): "increased in number",
    (2, False): "unchanged",
}
_TYPES = (
    Morphology.FINE_LINEAR_BRANCHING,
    Morphology.FINE_PLEOMORPHIC,
    Morphology.COARSE_HETEROGENEOUS,
    Morphology.AMORPHOUS,
    Morphology.PUNCTATE,
    Morphology.ROUND,
)
_WRITTEN_AT = datetime(2026, 1, 5, 10, 30, tzinfo=UTC)
_EARLIER = datetime(2026, 1, 5, 9, 12, tzinfo=UTC)

PITCH_MM = 0.1
"""Of drawn breasts."""

Pictures = Mapping[str, Image.Image]
"""By caption."""


@dataclass(frozen=True)
class Exam:
    """A reading with the headers and pictures of its images, priors' included, by UID."""

    reading: StudyReading
    headers: Mapping[str, Dataset]
    pictures: Mapping[str, DisplayArray]


def draw_sheet(pictures: Pictures) -> Image.Image:
    """Return pictures in rows, each with its caption."""
    tiles = []
    for caption, picture in pictures.items():
        height = min(round(WIDTH * picture.height / picture.width), WIDTH)
        tile = Image.new("RGB", (WIDTH, height + _CAPTION), BACKGROUND)
        small = picture.convert("RGB")
        small.thumbnail((WIDTH, height), Image.Resampling.LANCZOS)
        tile.paste(small, (0, _CAPTION))
        draw_text(tile, (2, _CAPTION - 10), caption, 20, TEXT)
        tiles.append(tile)
    rows = [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
    heights = [max(tile.height for tile in row) + _GAP for row in rows]
    sheet = Image.new("RGB", (COLUMNS * (WIDTH + _GAP) + _GAP, sum(heights) + _GAP), BACKGROUND)
    top = _GAP
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            sheet.paste(tile, (_GAP + column * (WIDTH + _GAP), top))
        top += height
    return sheet


def draw_pictures(folder: Path) -> Pictures:
    """Return every kind of picture.

    Parameters
    ----------
    folder
        For the simulated exam and its results.
    """
    pictures = dict(read_simulated_exam(folder))
    pictures |= _number("nine findings", draw_captures(make_nine_findings())[:2])
    pictures |= _number("a cluster that came apart", draw_captures(make_split_cluster())[:1])
    pictures["a reading that was not complete"] = draw_notice()
    pictures["a long history"] = draw_long_history(crop_first_finding(make_nine_findings()))
    return pictures


def _number(caption: str, pictures: Sequence[Image.Image]) -> dict[str, Image.Image]:
    return {
        caption + (f", page {number}" if number > 1 else ""): picture
        for number, picture in enumerate(pictures, start=1)
    }


def read_simulated_exam(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    """Yield the captures of the demo's exam, read with its prior, and its marks."""
    exam, out = folder / "exam", folder / "out"
    _run("simulate", "--out", str(exam), "--date", "2026-01-05")
    (treatments,) = exam.rglob("treatments.csv")
    _run("read", str(exam), "--out", str(out), "--treatments", str(treatments))
    captures = sorted(out.rglob("capture-*.png"), key=lambda path: int(path.stem.split("-")[1]))
    captions = ("overview beside the prior", "overview, page 2", "a view")
    for caption, path in zip(captions, captures, strict=False):
        yield caption, Image.open(path)
    (report,) = out.rglob("cad-sr-1.dcm")
    image = next(path for path in exam.rglob("LCC.dcm") if path.parent.name != "prior")
    marks = folder / "marks.png"
    _run("explain", str(report), "--png", str(image), "--out", str(marks))
    yield "explain --png", Image.open(marks)


def _run(*arguments: str) -> None:
    result = CliRunner().invoke(app, arguments)
    if result.exit_code:
        raise RuntimeError(f"{arguments[0]}: {result.output}") from result.exception


def make_nine_findings() -> Exam:
    """Return an exam of both breasts with nine clusters of every likely type."""
    places = ((30.0, 40.0), (60.0, 20.0), (28.0, -32.0), (62.0, -24.0), (45.0, 2.0))
    images = [
        (
            Lie(right=right, woman=2 + right, pitch_mm=PITCH_MM),
            [
                spot
                for index, place in enumerate(places[: 4 + (not right)])
                for spot in group(*place, number=5 + 2 * index, seed=index + 7 * right)
            ],
        )
        for right in (True, False)
    ]
    exam = _read(images)
    return replace(exam, reading=_describe_types(exam.reading))


def _describe_types(study: StudyReading) -> StudyReading:
    """Return a reading whose clusters have types, and each another certainty."""
    order = {finding.id: n for n, (_, finding) in enumerate(study.list_shown())}

    def describe(_: ImageReading, finding: Finding) -> Finding:
        number = order[finding.id]
        first, second = _TYPES[number % len(_TYPES)], _TYPES[(number + 1) % len(_TYPES)]
        shares = (0.44, 0.41) if number % 3 == 0 else (0.78, 0.1)
        faint = replace(finding.members[-1], certainty=20.0)
        return replace(
            finding,
            certainty=99.0 - 6 * number,
            suspicion=61.0 - 5.5 * number,
            morphology=((first, shares[0]), (second, shares[1])),
            distribution=((Distribution.GROUPED, 0.8), (Distribution.LINEAR, 0.1)),
            members=(*finding.members[:-1], faint),
        )

    return number_lesions(study.map_findings(describe))


def make_split_cluster() -> Exam:
    """Return an exam with its prior: one cluster then, two parts of it now, and a new one."""
    whole = [(40.0 + 1.6 * n, 20.0 + 1.3 * (n % 3)) for n in range(10)]
    parts = [spot for spot in whole if not 45.0 < spot[0] < 51.0]
    then = Lie(
        study="1.2.2", date="20250105", nipple_mm=(82.0, 112.0), turn_deg=2.0, pitch_mm=PITCH_MM
    )
    prior = _read([(then, whole)])
    now = _read([(Lie(pitch_mm=PITCH_MM), parts + group(20.0, -35.0, 6, seed=3))])
    followed = follow_up(now.reading, compare_with_priors(now.reading, [prior.reading]))
    return Exam(
        replace(followed, outcome=Outcome.FINDINGS),
        {**now.headers, **prior.headers},
        {**now.pictures, **prior.pictures},
    )


def _read(images: Sequence[tuple[Lie, list[Spot]]]) -> Exam:
    """Return the reading of drawn images, each with an UID of its own."""
    made = reading(*images)
    # The reading is in reading order: right before left.
    ordered = sorted(images, key=lambda image: not image[0].right)
    renamed = tuple(
        replace(
            image,
            mammogram=replace(
                image.mammogram,
                sop_instance_uid=f"{image.mammogram.study_uid}.9.{number}",
                series_uid=f"{image.mammogram.study_uid}.9",
            ),
        )
        for number, image in enumerate(made.images, start=1)
    )
    study = number_lesions(
        replace(made, images=renamed, outcome=Outcome.FINDINGS, view_pairs=(), repeat_pairs=())
    )
    uids = [image.sop_instance_uid for image in study.images]
    return Exam(
        study,
        {image.sop_instance_uid: make_image_header(image) for image in study.images},
        {uid: _draw(*drawn) for uid, drawn in zip(uids, ordered, strict=True)},
    )


def _draw(lie: Lie, spots: Sequence[Spot]) -> DisplayArray:
    """Return a drawn breast with its calcifications."""
    bright = np.clip(0.8 * lie.picture(), 0, 255)
    rows, columns = np.indices(bright.shape)
    for number, spot in enumerate(spots):
        at = lie.at(*spot)
        radius = (0.16 + 0.05 * (number % 4)) / lie.pitch_mm
        top, left = int(at.row) - 8, int(at.col) - 8
        part = np.s_[top : top + 17, left : left + 17]
        away = np.hypot(rows[part] - at.row, columns[part] - at.col)
        bright[part] += 110 * np.exp(-((away / radius) ** 2))
    display: DisplayArray = np.clip(bright, 0, 255).astype(np.uint8)
    return display


def draw_captures(exam: Exam) -> list[Image.Image]:
    """Return the pages of a reading: overview first, then views by priority."""
    by = Authorship(
        NODE, UIDS, Occasion(_WRITTEN_AT, ("1.2", "1.3", "1.4"), _EARLIER), ProfileSettings()
    )
    results: list[ResultObject] = [
        *make_overview(exam.reading, exam.headers, exam.pictures.__getitem__, by),
        *make_view_captures(exam.reading, exam.headers, exam.pictures.__getitem__, by),
    ]
    return [_get_picture(result.dataset) for result in results]


def draw_notice() -> Image.Image:
    """Return the notice of a reading that was not complete."""
    study, sources = make_situations()["partial with marks"]
    by = Authorship(NODE, UIDS, Occasion(_WRITTEN_AT, None), ProfileSettings())
    return _get_picture(make_notice(study, sources, by).dataset)


def _get_picture(ds: Dataset) -> Image.Image:
    return Image.frombytes("RGB", (ds.Columns, ds.Rows), ds.PixelData)


def crop_first_finding(exam: Exam) -> Image.Image:
    """Return the picture that is kept of an exam's first finding."""
    image, finding = exam.reading.list_shown()[0]
    display = exam.pictures[image.sop_instance_uid]
    return Image.open(BytesIO(encode_crop(display, finding.outline, find_drawing_spacing(image))))


def draw_long_history(crop: Image.Image) -> Image.Image:
    """Return the picture of two lesions over seven exams, every one with the same picture."""
    first = Sighting(
        lesion="2.25.1",
        study_uid="1.0",
        study_date=date(2019, 1, 7),
        sop_instance_uid="1.0.1",
        label="LCC",
        finding_id="LCC-1",
        kind="cluster",
        calcifications=5,
        long_axis_mm=6.0,
        morphology="punctate 44 %, fine pleomorphic 43 %",
        certainty=80.0,
        suspicion=31.0,
        priority=24.8,
        shown=True,
        change="",
        read_at=_WRITTEN_AT,
        model_digest="a",
        faint=1,
        crop="kept",
    )
    seen = [
        replace(
            first,
            lesion=f"2.25.{lesion}",
            study_uid=f"1.{year}",
            sop_instance_uid=f"1.{year}.{label}",
            study_date=date(2019 + year, 1, 7),
            label=label,
            calcifications=5 + (2 * year if lesion == 1 else 0),
            long_axis_mm=6.0 + (0.7 * year if lesion == 1 else 0.0),
            change=_HISTORY_WORDS[lesion, year == 6] if year else "",
        )
        for lesion, last in ((1, 7), (2, 6))
        for year in range(last)
        for label in ("LCC", "LMLO")
    ]
    gone = LesionAbsence("2.25.2", "1.6", date(2025, 1, 7), "LCC", "gone")
    categories = {("1.2", "L"): "3", ("1.6", "L"): "4B"}
    lesions = build_histories(seen, [gone], categories)
    return draw_timeline("Lesions of one patient, exams 2019 to 2025", lesions, lambda _: crop)


def main(path: Path) -> None:
    """Write the contact sheet as a JPEG file."""
    with tempfile.TemporaryDirectory() as folder:
        draw_sheet(draw_pictures(Path(folder))).save(path, quality=72, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
