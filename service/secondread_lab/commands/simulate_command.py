"""`secondread simulate`: follow-up exams with known truth."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from secondread.assemble.intent import Intent
from secondread.cli.progress_bar import show_steps
from secondread.clock import utc_now
from secondread.codes import Morphology
from secondread_lab.simulate.exam import Seeds, write_exam
from secondread_lab.simulate.sheet import write_sheet
from secondread_lab.simulate.spec import ExamSpec, find_latest_study_date


class VendorChoice(StrEnum):
    """Families of units."""

    ALPHA = "alpha"
    BETA = "beta"
    GAMMA = "gamma"
    DELTA = "delta"
    EPSILON = "epsilon"
    ZETA = "zeta"


class DensityChoice(StrEnum):
    """Compositions of the breast."""

    A = "a"
    B = "b"
    C = "c"
    D = "d"


class CourseChoice(StrEnum):
    """What the suspicious cluster did since the prior."""

    NEW = "new"
    STABLE = "stable"
    GROWING = "growing"
    ENLARGING = "enlarging"
    DECREASING = "decreasing"
    GONE = "gone"


class MarkerChoice(StrEnum):
    """What a technologist may stick on the skin."""

    NIPPLE = "nipple"
    SCAR = "scar"


def simulate(
    *,
    out: Annotated[Path | None, typer.Option(help="Folder for the exams, one folder each.")] = None,
    exams: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Anatomy seed of the first exam.")] = 7,
    day: Annotated[
        datetime | None,
        typer.Option(
            "--date", formats=["%Y-%m-%d"], help="Study date. Default: the last possible one."
        ),
    ] = None,
    pitch_mm: Annotated[
        float | None, typer.Option(min=0.04, max=1.0, help="Pixel pitch; large ones are quick.")
    ] = None,
    vendor: Annotated[VendorChoice, typer.Option(help="Family of units.")] = VendorChoice.ALPHA,
    density: Annotated[DensityChoice, typer.Option(help="Composition.")] = DensityChoice.B,
    course: Annotated[
        CourseChoice, typer.Option(help="Course of the suspicious cluster.")
    ] = CourseChoice.NEW,
    morphology: Annotated[
        str, typer.Option(help="Type of the cluster's calcifications, as in the truth table.")
    ] = "fine_pleomorphic",
    marker: Annotated[
        list[MarkerChoice] | None, typer.Option(help="Skin marker. Repeatable.")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Write For Processing images too.")] = False,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Draw the first exam beside its prior to this .png or .jpg file."),
    ] = None,
) -> None:
    """Simulate four-view follow-up exams of a treated breast, each with its prior.

    Writes DICOM files, `truth.csv`, masks and `treatments.csv`, or with `--sheet` alone only the
    picture. The same options give the same exam.
    """
    if out is None and sheet is None:
        raise typer.BadParameter("--out or --sheet says what to write")
    today = day.date() if day is not None else find_latest_study_date(utc_now().astimezone())
    base = replace(
        _set_cluster(ExamSpec.for_demo(today), course, morphology),
        pitch_mm=pitch_mm,
        vendor=vendor.value,
        density=density.value,
        markers=tuple(choice.value for choice in marker or ()),
        intents=(Intent.PRESENTATION, Intent.PROCESSING) if raw else (Intent.PRESENTATION,),
    )
    console = Console()
    if sheet is not None:
        with show_steps("simulating", 8) as advance:
            write_sheet(_set_seeds(base, seed, 0), sheet, advance)
        console.print(str(sheet), soft_wrap=True, highlight=False)
    if out is not None:
        with show_steps("simulating", 8 * exams) as advance:
            for number in range(exams):
                folder = out / f"exam-{number + 1:03d}"
                write_exam(_set_seeds(base, seed, number), folder, advance)
                console.print(str(folder), soft_wrap=True, highlight=False)


def _set_seeds(base: ExamSpec, seed: int, number: int) -> ExamSpec:
    return replace(
        base, seeds=Seeds(anatomy=seed + number, history=3 + number, acquisition=5 + number)
    )


def _set_cluster(spec: ExamSpec, course: CourseChoice, morphology: str) -> ExamSpec:
    try:
        kind = Morphology[morphology.upper()]
    except KeyError as error:
        names = ", ".join(member.name.lower() for member in Morphology)
        raise typer.BadParameter(f"no type {morphology!r}; there are {names}") from error
    cluster, *others = spec.lesions
    changed = replace(cluster, course=course.value, morphology=kind)
    return replace(spec, lesions=(changed, *others))
