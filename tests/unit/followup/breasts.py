"""A plain drawn breast that can be laid, mirrored and sampled at will, and readings of it."""

import math
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import select_images
from secondread.codes import MarkClass, View
from secondread.detect import breast
from secondread.detect.landmarks import add_landmarks
from secondread.detect.marks import Breast, Detection, Mark
from secondread.findings.finding import ModelIdentity, StudyReading
from secondread.findings.operating_point import OperatingPoint
from secondread.geometry import PointPx, SpacingMm
from secondread.reading import Reader, StudyContext, read_study
from secondread.reasons import ImageStatus
from tests.worlds.builders import mammogram, view_sequence

MODEL = ModelIdentity("Test", "1", "0" * 64, 1, calibrated=True)
READER = Reader(MODEL, lambda _, value: 100 * value, OperatingPoint(1, "test", 50.0))
HEIGHT_MM, WIDTH_MM = 220.0, 170.0
DEPTH_MM, HALF_MM = 85.0, 80.0
"""Of the breast: nipple to chest wall, and half of its width there."""


@dataclass(frozen=True)
class Lie:
    """One acquisition: how the breast lies, and how the image is stored."""

    study: str = "1.2.3"
    date: str = "20260105"
    woman: int = 1
    right: bool = False
    view: View = View.CC
    nipple_mm: tuple[float, float] = (85.0, 110.0)
    """From the chest wall's border and from the upper one."""
    turn_deg: float = 0.0
    pitch_mm: float = 0.4
    contrast: float = 1.0
    manufacturer: str = "Maker"
    upside_down: bool = False
    """Whether the image is stored the other way round than it hangs."""

    @property
    def spacing(self) -> SpacingMm:
        return SpacingMm(self.pitch_mm, self.pitch_mm)

    def at(self, depth_mm: float, up_mm: float) -> PointPx:
        """Return the pixel of a place of the breast: behind the nipple, and above it."""
        a = math.radians(self.turn_deg)
        x = self.nipple_mm[0] - (math.cos(a) * depth_mm - math.sin(a) * up_mm)
        y = self.nipple_mm[1] - (math.sin(a) * depth_mm + math.cos(a) * up_mm)
        x = WIDTH_MM - x if self.right else x
        y = HEIGHT_MM - y if self.upside_down else y
        return PointPx(x / self.pitch_mm, y / self.pitch_mm)

    def header(self) -> Mammogram:
        rows, columns = round(HEIGHT_MM / self.pitch_mm), round(WIDTH_MM / self.pitch_mm)
        medial, lateral = ("L", "R") if self.right else ("R", "L")
        usual, turned = (medial, lateral) if self.view is View.CC else ("FR", "HL")
        return mammogram(
            StudyInstanceUID=self.study,
            StudyDate=self.date,
            ImageLaterality="R" if self.right else "L",
            ViewCodeSequence=view_sequence(self.view),
            PatientOrientation=["P" if self.right else "A", turned if self.upside_down else usual],
            Rows=rows,
            Columns=columns,
            ImagerPixelSpacing=[self.pitch_mm, self.pitch_mm],
            Manufacturer=self.manufacturer,
        )

    def picture(self) -> npt.NDArray[np.float32]:
        """Return the brightness of the image."""
        rows, columns = round(HEIGHT_MM / self.pitch_mm), round(WIDTH_MM / self.pitch_mm)
        x, y = np.meshgrid(
            (np.arange(columns) + 0.5) * self.pitch_mm, (np.arange(rows) + 0.5) * self.pitch_mm
        )
        x = WIDTH_MM - x if self.right else x
        a = math.radians(self.turn_deg)
        dx, dy = self.nipple_mm[0] - x, self.nipple_mm[1] - y
        depth = math.cos(a) * dx + math.sin(a) * dy
        up = -math.sin(a) * dx + math.cos(a) * dy
        skin = DEPTH_MM * (1 - np.sqrt(np.clip(1 - (up / HALF_MM) ** 2, 0, 1)))
        nipple = np.hypot(depth + 1.0, up) < 4.5
        inside = ((depth > skin) & (np.abs(up) < HALF_MM)) | nipple
        tissue = 120 + 30 * self.contrast * _texture(self.woman, depth, up)
        if self.view is View.MLO:
            tissue += 60 * (x / 45.0 + y / 120.0 < 1)
        bright = np.where(inside, tissue, 2.0).astype(np.float32)
        return bright[::-1].copy() if self.upside_down else bright


def _texture(
    woman: int, depth: npt.NDArray[np.float64], up: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(woman)
    field = gaussian_filter(rng.normal(size=(400, 260)), 2.0)
    field = (field / field.std()).astype(np.float32)
    column, row = (depth + 10).astype(np.float32), (up + 200).astype(np.float32)
    return np.asarray(cv2.remap(field, column, row, cv2.INTER_LINEAR), np.float32)


Spot = tuple[float, float]
"""Depth and height, in mm, of a calcification."""


def group(depth: float, up: float, number: int = 8, seed: int = 0) -> list[Spot]:
    """Return calcifications within about 6 mm."""
    rng = np.random.default_rng(seed)
    away = rng.uniform(-3, 3, (number, 2))
    return [(depth + float(d), up + float(u)) for d, u in away]


def detection(
    lie: Lie,
    header: Mammogram,
    spots: list[Spot],
    score: float = 0.9,
    status: ImageStatus = ImageStatus.READ,
) -> Detection:
    marks = tuple(
        Mark(lie.at(*spot), score, MarkClass.CALCIFICATION, 0.3, contrast=8.0) for spot in spots
    )
    return Detection(header.sop_instance_uid, status, (), marks, {}, found_in(lie), 0.1)


@cache
def found_in(lie: Lie) -> Breast:
    """Return what the detector finds of a breast."""
    bright = lie.picture()
    region = breast.find_breast(bright, lie.spacing)
    assert region is not None
    oblique, turned = lie.view is View.MLO, lie.header().is_upside_down
    return add_landmarks(region, bright, lie.spacing, oblique=oblique, upside_down=turned).breast


def reading(
    *views: tuple[Lie, list[Spot]],
    score: float = 0.9,
    status: ImageStatus = ImageStatus.READ,
    model: ModelIdentity = MODEL,
) -> StudyReading:
    """Return a study of some views as the node reads it."""
    headers = [lie.header() for lie, _ in views]
    answers = {
        header.sop_instance_uid: detection(lie, header, spots, score, status)
        for header, (lie, spots) in zip(headers, views, strict=True)
    }
    reader = replace(READER, model=model)
    circumstances = StudyContext(revision=1, cause="first")
    return read_study(views[0][0].study, select_images(headers), answers, reader, circumstances)
