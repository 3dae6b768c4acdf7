"""All calcifications of one image as points in its frame, clustered or not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from secondread.codes import MarkClass
from secondread.findings.clusters import LINK_MM, MINIMUM_MEMBERS, label_chains
from secondread.findings.finding import Finding, ImageReading
from secondread.followup.registration.frame import PointsMm, ViewFrame
from secondread.geometry import PointPx

LOW_CERTAINTY = 10.0
"""The low threshold, 0-100, for "new" and "gone": what is likelier than this to be there counts.
Below it, the detector's answers to noise would make a prior of everything."""
SURE_CERTAINTY = 50.0
"""A calcification that is more likely there than not counts even if the other exam has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Calcifications:
    """Calcifications of one image; all arrays have one entry for each."""

    centers: PointsMm
    certainty: npt.NDArray[np.float64]
    diameter_mm: npt.NDArray[np.float64]
    finding: npt.NDArray[np.int64]
    """Index of the image's finding that it belongs to."""

    def __len__(self) -> int:
        return len(self.certainty)

    def select(self, chosen: npt.NDArray[np.bool_]) -> "Calcifications":
        """Return the chosen ones."""
        return Calcifications(
            self.centers[chosen],
            self.certainty[chosen],
            self.diameter_mm[chosen],
            self.finding[chosen],
        )

    def is_of(self, findings: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Return which belong to some findings."""
        return np.isin(self.finding, np.asarray(findings, np.int64))

    def select_findings(self, findings: Sequence[int]) -> "Calcifications":
        """Return those of some findings."""
        return self.select(self.is_of(findings))

    def exclude_findings(self, findings: Sequence[int]) -> "Calcifications":
        """Return those of all other findings."""
        return self.select(~self.is_of(findings))

    @property
    def sure(self) -> npt.NDArray[np.bool_]:
        """Which are more likely there than not."""
        return self.certainty >= SURE_CERTAINTY


def join_calcifications(several: Sequence[Calcifications]) -> Calcifications:
    """Return calcifications of one image together, in the order given."""
    return Calcifications(
        np.concatenate([some.centers for some in several]),
        np.concatenate([some.certainty for some in several]),
        np.concatenate([some.diameter_mm for some in several]),
        np.concatenate([some.finding for some in several]),
    )


def select_together(centers: PointsMm) -> npt.NDArray[np.bool_]:
    """Return which places, (n, 2), are in a chain of as many as make a cluster."""
    if not len(centers):
        return np.zeros(0, np.bool_)
    chains = label_chains(centers, LINK_MM)
    return np.asarray(np.bincount(chains)[chains] >= MINIMUM_MEMBERS)


def collect_calcifications(
    image: ImageReading, frame: ViewFrame, least: float = LOW_CERTAINTY
) -> Calcifications:
    """Return the calcifications of an image that are as certain as `least`, 0-100.

    Of a cluster that is so while none of its members is, all count: as a whole it is there,
    however doubtful each of them.
    """
    rows = [
        (point, certainty, diameter, number)
        for number, finding in enumerate(image.findings)
        for point, certainty, diameter in _list_likely(finding, least)
    ]
    return Calcifications(
        frame.to_mm([row[0] for row in rows]),
        np.array([row[1] for row in rows], np.float64),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.int64),
    )


def _list_likely(finding: Finding, least: float) -> list[tuple[PointPx, float, float]]:
    members = _list_members(finding)
    likely = [member for member in members if member[1] >= least]
    # Only a cluster's members can all be less likely than the finding.
    return likely if likely or finding.certainty < least else members


def _list_members(finding: Finding) -> list[tuple[PointPx, float, float]]:
    if finding.mark_class is MarkClass.CLUSTER:
        return [(m.center, m.certainty, m.diameter_mm) for m in finding.members]
    if finding.mark_class is MarkClass.CALCIFICATION:
        return [(finding.center, finding.certainty, finding.long_axis_mm)]
    return []


def find_clusters(image: ImageReading) -> list[int]:
    """Return the indices of an image's findings that are clusters at the low threshold."""
    return [
        number
        for number, finding in enumerate(image.findings)
        if finding.mark_class is MarkClass.CLUSTER and finding.certainty >= LOW_CERTAINTY
    ]
