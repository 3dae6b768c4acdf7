"""Which cluster of one image is which of another image of the same view in the same exam.

A view comes twice as a retake, or because the breast is larger than the detector and is taken in
tiles. Both images are read. What both show is one lesion, and counts once; what one of them shows
stays. The images are registered as those of a prior are, and what does not lie on each other for
sure is left as two.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from secondread import log
from secondread.errors import describe_without_quoting
from secondread.findings.finding import ImageReading
from secondread.findings.view_pair import RepeatPair
from secondread.followup.calcifications import collect_calcifications, find_clusters
from secondread.followup.cluster_matching import (
    SEARCH_ERRORS,
    MappedCluster,
    match_clusters,
    measure_distance,
)
from secondread.followup.comparison import compute_pitch_ratio
from secondread.followup.registration.frame import find_frame
from secondread.followup.registration.register import Registration, register

_log = log.get_logger(__name__)

SURE_MM = 3.0
"""Where a place is known less well than this, two clusters may be neighbours."""
_SAME_PITCH_RATIO = 1.1


def match_repeats(images: Sequence[ImageReading]) -> tuple[RepeatPair, ...]:
    """Return the clusters that two images of one view both show.

    What breaks over two images costs their matching, never the reading: their clusters count apart.

    Parameters
    ----------
    images
        Of one study.
    """
    pairs: list[RepeatPair] = []
    for first, second in combinations(images, 2):
        if not _is_repeat(first, second):
            continue
        try:
            pairs += list(_match_pair(first, second))
        except Exception as error:  # noqa: BLE001  (whatever it is, it must not cost the reading)
            _log.error(
                "repeated_view_broke",
                study_uid=first.mammogram.study_uid,
                images=[first.sop_instance_uid, second.sop_instance_uid],
                error=describe_without_quoting(error),
            )
    return tuple(pairs)


def _is_repeat(first: ImageReading, second: ImageReading) -> bool:
    a, b = first.mammogram, second.mammogram
    return (
        a.view_key is not None
        and (a.view_key, a.view_modifiers) == (b.view_key, b.view_modifiers)
        and compute_pitch_ratio(a, b) <= _SAME_PITCH_RATIO
        and bool(find_clusters(first) and find_clusters(second))
    )


def _match_pair(first: ImageReading, second: ImageReading) -> Iterator[RepeatPair]:
    here, there = find_frame(first), find_frame(second)
    if here is None or there is None:
        return
    registration = register(here, there)
    if not registration.is_aligned:
        return
    others = collect_calcifications(second, there)
    clusters = find_clusters(second)
    mapped = list(_map_clusters(first, registration))
    for match in match_clusters(mapped, others, clusters, there.area_mm2):
        # Of a cluster that is in parts in one of the images, the best of them.
        cluster = match.parts[0]
        if not match.prior or match.prior[0] not in clusters:
            continue
        # Minutes apart nothing has grown or moved: what lies farther off is a neighbour.
        twin = others.select_findings([match.prior[0]])
        away_mm = measure_distance(cluster.mapped, twin.centers)
        if away_mm > SEARCH_ERRORS * cluster.error_mm:
            continue
        yield RepeatPair(
            first.refer_to(first.findings[cluster.finding]),
            second.refer_to(second.findings[match.prior[0]]),
            round(cluster.error_mm, 1),
        )


def _map_clusters(image: ImageReading, registration: Registration) -> Iterator[MappedCluster]:
    """Yield the clusters of an image whose place in the other one is known and seen."""
    calcifications = collect_calcifications(image, registration.current)
    for number in find_clusters(image):
        own = calcifications.select_findings([number])
        error_mm = registration.estimate_error(own.centers)
        if error_mm <= SURE_MM and registration.prior_shows(own.centers):
            yield MappedCluster(number, own, registration.map_mm(own.centers), error_mm)
