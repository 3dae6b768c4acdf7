"""Shares of calcifications found malignant, as published, each with where it was published.

The numbers of `findings.suspicion` come from here, and `service/docs/suspicion.md` is this table in
print. A site that trusts other series changes this module, and the document with it.
"""

from dataclasses import dataclass
from enum import Enum

from secondread.codes import Distribution, Morphology


class Source(Enum):
    """A publication, as it is cited."""

    COHORTS_2020 = (
        "European Radiology 2020, doi 10.1007/s00330-020-07215-8: 1,076 women of two cohorts with "
        "calcifications of suspicious morphology, averages of the readers"
    )
    LIBERMAN_1998 = (
        "Liberman et al., American Journal of Roentgenology 1998;171:35-40: 492 lesions biopsied "
        "by surgery, 225 of them carcinomas"
    )
    BIRADS_5 = "ACR BI-RADS Atlas, 5th edition (2013)"


@dataclass(frozen=True, slots=True)
class PublishedShare:
    """The share of calcifications of one type that was malignant."""

    percents: tuple[float, ...]
    """By cohort; the mean of them counts."""
    source: Source
    remark: str = ""
    """How the number follows from the source, where it is not the source's own."""

    @property
    def share(self) -> float:
        """The share that counts, 0-1."""
        return round(sum(self.percents) / len(self.percents) / 100, 4)


@dataclass(frozen=True, slots=True)
class PublishedFactor:
    """A distribution's factor on the odds: those of calcifications with it over those of all."""

    percent: float | None
    """Share that was malignant; None where no factor is taken from a series."""
    among: float | None
    """Share that was malignant of all that it is compared with."""
    source: Source
    remark: str

    @property
    def factor(self) -> float:
        """Factor on the odds, to two digits."""
        if self.percent is None or self.among is None:
            return 1.0
        odds, all_odds = (p / (100 - p) for p in (self.percent, self.among))
        return float(f"{odds / all_odds:.2g}")


_BENIGN = PublishedShare((0.5,), Source.BIRADS_5, "typically benign, category 2: none expected")
_DULL = PublishedShare((2.0,), Source.BIRADS_5, "the border of category 3, probably benign")

TYPES = {
    Morphology.ROUND: _DULL,
    Morphology.PUNCTATE: _DULL,
    Morphology.AMORPHOUS: PublishedShare((9.1, 6.4), Source.COHORTS_2020),
    Morphology.COARSE_HETEROGENEOUS: PublishedShare((16.1, 22.1), Source.COHORTS_2020),
    Morphology.FINE_PLEOMORPHIC: PublishedShare((78.8, 44.7), Source.COHORTS_2020),
    Morphology.FINE_LINEAR: PublishedShare((81.0,), Source.LIBERMAN_1998, "linear morphology"),
    Morphology.FINE_LINEAR_BRANCHING: PublishedShare((78.6, 85.1), Source.COHORTS_2020),
    Morphology.COARSE: _BENIGN,
    Morphology.DYSTROPHIC: _BENIGN,
    Morphology.EGGSHELL: _BENIGN,
    Morphology.LARGE_ROD_LIKE: _BENIGN,
    Morphology.LUCENT_CENTERED: _BENIGN,
    Morphology.MILK_OF_CALCIUM: _BENIGN,
    Morphology.SKIN: _BENIGN,
    Morphology.SUTURE: _BENIGN,
    Morphology.VASCULAR: _BENIGN,
}
"""By type of calcification."""

DISTRIBUTIONS = {
    Distribution.DIFFUSE: PublishedFactor(
        2.6, 7.75, Source.COHORTS_2020, "diffuse amorphous against all amorphous ones"
    ),
    Distribution.REGIONAL: PublishedFactor(
        3.35, 7.75, Source.COHORTS_2020, "regional amorphous against all amorphous ones"
    ),
    Distribution.GROUPED: PublishedFactor(
        None, None, Source.LIBERMAN_1998, "the odds of the type stay as they are"
    ),
    Distribution.LINEAR: PublishedFactor(
        68.0, 46.0, Source.LIBERMAN_1998, "linear against all lesions"
    ),
    Distribution.SEGMENTAL: PublishedFactor(
        74.0, 46.0, Source.LIBERMAN_1998, "segmental against all lesions"
    ),
}
"""By distribution."""
