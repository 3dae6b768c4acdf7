"""The oracle, which answers about simulated views from their truth, in place of a detector.

Its answers have misses, faint marks, jitter and false marks, so that registration and matching are
judged alone.
"""

from dataclasses import dataclass

import numpy as np

from secondread.assemble.mammogram import Mammogram
from secondread.codes import MarkClass
from secondread.detect.marks import Detection, Mark
from secondread.detect.prepare import PreparedImage, prepare_image
from secondread.findings.finding import ModelIdentity
from secondread.findings.operating_point import OperatingPoint
from secondread.geometry import PointPx
from secondread.reading import Reader
from secondread.reasons import ImageStatus
from secondread_lab.judge.pairs import get_dataset
from secondread_lab.simulate.exam import SimulatedView
from secondread_lab.simulate.seeds import seed_stream
from secondread_lab.simulate.truth import TruthRow

_MODEL_MM = 0.07

ORACLE = ModelIdentity("oracle", "1", "0" * 64, 1, calibrated=True)


def _to_percent(_: MarkClass, score: float) -> float:
    return 100 * score


ORACLE_READER = Reader(ORACLE, _to_percent, OperatingPoint(1, "oracle", 50.0))


@dataclass(frozen=True, slots=True)
class Oracle:
    """Answers from the truth, with errors of given sizes."""

    seed: int
    sure: float = 0.85
    """Share of the calcifications that are found with certainty."""
    faint: float = 0.08
    """Share that is found with less certainty."""
    jitter_mm: float = 0.15
    size_error: float = 0.12
    """Standard deviation of the logarithm of a diameter."""
    unit_size_error: float = 0.06
    """The same for a whole exam: the effect of another unit or processing on sizes."""
    false_per_cm2: float = 0.1
    """Faint false calcifications."""

    def __call__(self, view: SimulatedView, number: int) -> Detection:
        """Return the answer of a detector of this quality about a view."""
        ds = get_dataset(view)
        header = Mammogram.from_dataset(ds)
        rng = seed_stream(self.seed, "oracle", number, view.exam, view.identity.label)
        unit = seed_stream(self.seed, "unit", number, view.exam)
        image = prepare_image(ds, header, _MODEL_MM)
        factor = float(np.exp(unit.normal(0, self.unit_size_error)))
        spots = [row for row in view.rows if row.kind == MarkClass.CALCIFICATION.value]
        marks = [m for row in spots if (m := self._draw_mark(row, header, factor, rng)) is not None]
        marks += self._draw_false_marks(image, rng)
        return Detection(
            header.sop_instance_uid,
            ImageStatus.READ,
            (),
            tuple(sorted(marks, key=lambda mark: -mark.score)),
            {},
            image.region.breast,
            0.0,
        )

    def _draw_mark(
        self, row: TruthRow, header: Mammogram, factor: float, rng: np.random.Generator
    ) -> Mark | None:
        luck, (dx, dy), bigger = rng.random(), rng.normal(0, self.jitter_mm, 2), rng.normal()
        shares = rng.random()
        if luck > self.sure + self.faint:
            return None
        score = 0.55 + 0.4 * shares if luck < self.sure else 0.12 + 0.33 * shares
        spacing = header.spacing
        if spacing is None or row.x0 is None or row.y0 is None or row.x1 is None or row.y1 is None:
            return None
        center = PointPx(
            (row.x0 + row.x1) / 2 + float(dx) / spacing.between_columns,
            (row.y0 + row.y1) / 2 + float(dy) / spacing.between_rows,
        )
        size = (row.size_mm or 0.3) * factor * float(np.exp(bigger * self.size_error))
        return Mark(center, score, MarkClass.CALCIFICATION, size, contrast=5.0)

    def _draw_false_marks(self, image: PreparedImage, rng: np.random.Generator) -> list[Mark]:
        inside = np.argwhere(image.region.interior > 0)
        count = int(rng.poisson(self.false_per_cm2 * image.region.breast.area_cm2))
        chosen = inside[rng.integers(len(inside), size=count)] + rng.random((count, 2))
        rows, columns = image.region.interior.shape
        scale = (image.bright.shape[0] / rows, image.bright.shape[1] / columns)
        return [
            Mark(
                PointPx(float(column * scale[1]), float(row * scale[0])),
                0.12 + 0.33 * float(rng.random()),
                MarkClass.CALCIFICATION,
                0.3,
                contrast=2.0,
            )
            for row, column in chosen
        ]
