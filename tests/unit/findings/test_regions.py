"""Groups in two levels: what stands out of a region, what does not, and what never joins groups."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from secondread.assemble.scope import select_images
from secondread.codes import MarkClass, Morphology
from secondread.detect.marks import Mark
from secondread.findings.describe import describe_findings
from secondread.findings.finding import Finding, ImageReading
from secondread.findings.findings_json import encode_finding
from secondread.findings.linking import link_calcifications
from secondread.findings.operating_point import OperatingPoint
from secondread.findings.region_words import describe_region
from secondread.geometry import SpacingMm, is_inside
from secondread.reading import StudyContext, read_study
from secondread_lab.judge.region_layouts import KINDS
from tests.bench.bench_regions import PLANTED_IN, judge_kind
from tests.unit.followup.breasts import READER
from tests.worlds.builders import detection, mammogram, mark

SPACING = SpacingMm(0.1, 0.1)
POINT = OperatingPoint(1, "test", minimum_certainty=50.0)
SCATTERED = [mark(300 + 40 * column, 300 + 40 * row) for column in range(6) for row in range(5)]
"""Every 4 mm over 20 x 16 mm."""
DENSE = [(393, 354), (398, 360), (405, 353), (407, 362), (400, 367), (403, 357), (395, 364)]
"""Seven within 2 mm, among them."""


def describe(marks: Sequence[Mark]) -> tuple[Finding, ...]:
    found = describe_findings(
        "LCC", marks, SPACING, (1000, 1000), lambda _, score: 100 * score, POINT
    )
    return tuple(finding for finding in found if finding.mark_class is MarkClass.CLUSTER)


def in_one_row(length: int, step: int, row: int = 300, **changes: object) -> list[Mark]:
    marks = [mark(300 + step * n, row) for n in range(length)]
    return [replace(m, **changes) for m in marks]  # type: ignore[arg-type]  # any field


def read_image(marks: Sequence[Mark]) -> ImageReading:
    header = mammogram(ImagerPixelSpacing=[0.1, 0.1])
    answers = {header.sop_instance_uid: detection(header.sop_instance_uid, *marks)}
    context = StudyContext(revision=1, cause="first")
    return read_study("1.2.3", select_images([header]), answers, READER, context).images[0]


def test_a_cluster_inside_scattered_calcifications_is_a_finding_of_its_own() -> None:
    inside = [mark(*at) for at in DENSE]

    cluster, region = sorted(describe([*SCATTERED, *inside]), key=lambda f: len(f.members))

    assert {member.center for member in cluster.members} == {m.center for m in inside}
    assert {member.center for member in region.members} == {m.center for m in SCATTERED}
    assert cluster.region == region.id
    assert region.region is None
    assert all(is_inside(corner, region.outline) for corner in cluster.outline)
    assert cluster.long_axis_mm < 3.0
    assert region.long_axis_mm > 20.0


def test_each_level_has_a_type_of_its_own() -> None:
    round_ones = [replace(m, morphology=((Morphology.ROUND, 1.0),)) for m in SCATTERED]
    fine = [replace(mark(*at), morphology=((Morphology.FINE_PLEOMORPHIC, 1.0),)) for at in DENSE]

    cluster, region = sorted(describe([*round_ones, *fine]), key=lambda f: len(f.members))

    assert cluster.morphology[0][0] is Morphology.FINE_PLEOMORPHIC
    assert region.morphology[0][0] is Morphology.PUNCTATE
    assert cluster.suspicion is not None
    assert region.suspicion is not None
    assert cluster.suspicion > 10 * region.suspicion


def test_what_texture_makes_dense_stands_out_of_nothing() -> None:
    faint = [replace(mark(*at), score=0.2) for at in DENSE]
    doubtful = [replace(mark(*at), score=0.4) for at in DENSE]

    assert len(describe([*SCATTERED, *faint])) == 1
    assert len(describe([*SCATTERED, *doubtful])) == 1


def test_an_even_region_or_line_stays_whole() -> None:
    assert len(describe(SCATTERED)) == 1
    assert len(describe(in_one_row(14, step=20))) == 1


def test_a_dense_cluster_beside_scattered_ones_is_their_neighbour_and_not_inside() -> None:
    beside = [mark(col + 140, row + 20) for col, row in DENSE]

    findings = describe([*SCATTERED, *beside])

    assert sorted(len(finding.members) for finding in findings) == [7, 30]
    assert {finding.region for finding in findings} == {None}


@pytest.mark.parametrize("kind", KINDS)
def test_few_regions_without_a_cluster_are_split_and_most_clusters_in_regions_are_found(
    kind: str,
) -> None:
    found, by_links, split, _ = judge_kind(kind, number=14, seed=11)

    assert split <= 2 / 14
    if kind in PLANTED_IN:
        assert found >= 0.7
        assert found >= by_links


def test_sutures_vessels_and_metal_never_join_two_groups() -> None:
    left, right = in_one_row(4, step=20), [mark(520 + 20 * n, 300) for n in range(4)]
    between = [mark(390 + 30 * n, 300) for n in range(4)]
    sutures = [replace(m, morphology=((Morphology.SUTURE, 0.9),)) for m in between]
    walls = [replace(m, mark_class=MarkClass.VASCULAR) for m in between for _ in range(2)]
    clips = [replace(m, mark_class=MarkClass.METAL, diameter_mm=2.0) for m in between]

    def count(marks: Sequence[Mark], landmarks: Sequence[Mark] = ()) -> list[int]:
        return [len(g) for g in link_calcifications([*left, *marks, *right], landmarks, SPACING)]

    assert count(between) == [12]
    assert count(sutures) == [4, 4, 4]
    # What is on a vessel or a clip may be of the group beside it, as far as a link reaches.
    assert count(between, walls) == [5, 5, 2]
    assert count(between, clips) == [5, 5, 2]
    # Two are rather misnamed members of what they are nearest to than a suture of their own.
    assert count(sutures[:1] + sutures[-1:]) == [5, 5]


def test_three_coarse_calcifications_6_mm_apart_are_a_cluster_and_three_fine_ones_are_not() -> None:
    assert [len(f.members) for f in describe(in_one_row(3, step=60, diameter_mm=0.9))] == [3]
    assert describe(in_one_row(3, step=60, diameter_mm=0.4)) == ()
    # However large they are: beyond 8 mm they are single.
    assert describe(in_one_row(3, step=81, diameter_mm=9.0)) == ()


def test_names_are_those_of_the_numbered_lesions_and_words_and_json_have_them() -> None:
    image = read_image([*SCATTERED, *(mark(*at) for at in DENSE)])
    cluster, region = sorted(image.findings, key=lambda f: len(f.members))

    assert cluster.region == region.id
    assert image.list_inner(region) == (cluster,)
    assert encode_finding(cluster)["region"] == region.id
    assert encode_finding(region)["region"] is None
    number = region.number
    assert describe_region(image, cluster) == (f"within region {number} of 37 calcifications",)
    inside = f"region of 37 calcifications with {cluster.number} inside"
    assert describe_region(image, region) == (inside,)


def test_a_region_that_is_not_shown_is_not_named_by_its_number() -> None:
    image = read_image([*SCATTERED, *(mark(*at) for at in DENSE)])
    hidden = replace(
        image, findings=tuple(replace(f, shown=f.region is not None) for f in image.findings)
    )
    (cluster,) = hidden.shown_findings

    assert describe_region(hidden, cluster) == (
        "within a fainter region of 37 calcifications, not marked",
    )


def test_an_image_of_few_marks_or_none_has_no_groups() -> None:
    assert link_calcifications([], [], SPACING) == ()
    assert describe([mark(100, 100)]) == ()
    assert np.isfinite([f.certainty for f in describe([mark(100, 100)] * 3)]).all()
