"""The documents that programs at a site read: a field that is renamed here breaks them there."""

from datetime import date
from typing import Any

from secondread.findings.changes import (
    PRIOR_REREAD,
    ChangeKind,
    FindingChange,
    FindingRef,
    MeasuredDifference,
    Recheck,
    StudyComparison,
    ViewComparison,
)
from secondread.findings.findings_json import encode_finding
from secondread.findings.position import BreastHalf, Quadrant
from secondread.findings.view_pair import BreastPlace, ViewPair
from secondread.followup.comparison_json import (
    decode_recheck,
    encode_comparison,
    encode_recheck,
    encode_view_pair,
)
from secondread.followup.finding_position import add_positions
from secondread.followup.recheck import RecheckedFinding
from secondread.geometry import PointPx
from tests.unit.followup.breasts import Lie, group, reading

CURRENT = FindingRef("1.2.3", "1.2.3.1", "LCC-1")
PRIOR = FindingRef("1.2.2", "1.2.2.1", "LCC-2")
ENCODED_CURRENT = {"study_uid": "1.2.3", "sop_instance_uid": "1.2.3.1", "finding_id": "LCC-1"}
ENCODED_PRIOR = {"study_uid": "1.2.2", "sop_instance_uid": "1.2.2.1", "finding_id": "LCC-2"}
RECHECK = Recheck(seen=True, other_places=40, as_similar=1, prior_image="1.2.2.1")
ENCODED_RECHECK: dict[str, Any] = {
    "seen": True,
    "words": "seen faintly",
    "other_places": 40,
    "as_high": 1,
    "why_not": "",
    "prior_image": "1.2.2.1",
}


def test_a_finding_has_the_keys_that_programs_read() -> None:
    (finding,) = add_positions(reading((Lie(), group(45.0, 20.0, 8)))).images[0].findings

    document = encode_finding(finding)

    assert list(document) == [
        "id",
        "kind",
        "certainty",
        "certainty_log_odds",
        "suspicion",
        "priority",
        "center",
        "outline",
        "calcifications",
        "faint",
        "long_axis_mm",
        "morphology",
        "distribution",
        "type_words",
        "distribution_words",
        "change",
        "zone",
        "bed",
        "position",
        "shown",
        "benign_share",
        "typically_benign",
    ]
    assert list(document["position"]) == [
        "from_skin_mm",
        "from_nipple_mm",
        "nipple_error_mm",
        "depth_mm",
        "third",
        "half",
        "quadrant",
        "clock_hour",
    ]


def test_a_comparison_has_the_keys_that_programs_read() -> None:
    change = FindingChange(
        ChangeKind.MORE,
        CURRENT,
        (PRIOR,),
        number=MeasuredDifference(9.0, 4.0, 2.0, 6.0),
        pairs=((PointPx(1.0, 2.0), PointPx(3.0, 4.0)),),
        place=(PointPx(5.0, 6.0),),
        error_mm=1.5,
        recheck=RECHECK,
        counted_with=(CURRENT,),
        unpaired=(PointPx(7.0, 8.0),),
        seen_again=2,
    )
    view = ViewComparison("1.2.3.1", "1.2.2.1", same_unit=True, error_mm=0.7, aligned=True)
    comparison = StudyComparison("1.2.2", date(2025, 1, 5), PRIOR_REREAD, (view,), (change,))

    assert encode_comparison(comparison) == {
        "prior_study_uid": "1.2.2",
        "prior_date": "2025-01-05",
        "compared": True,
        "why_not": "",
        "basis": "prior re-read",
        "views": [
            {
                "sop_instance_uid": "1.2.3.1",
                "prior_sop_instance_uid": "1.2.2.1",
                "same_unit": True,
                "registration_error_mm": 0.7,
                "tissue_aligned": True,
                "why_not": "",
            }
        ],
        "changes": [
            {
                "verdict": "more",
                "words": "increased in number",
                "current": ENCODED_CURRENT,
                "prior": [ENCODED_PRIOR],
                "calcifications": {
                    "current": 9.0,
                    "prior": 4.0,
                    "unchanged_from": 2.0,
                    "unchanged_to": 6.0,
                },
                "extent_mm": None,
                "diameter_mm": None,
                "found_in_both": [[[1.0, 2.0], [3.0, 4.0]]],
                "place": [[5.0, 6.0]],
                "error_mm": 1.5,
                "why": "",
                "counted_with": [ENCODED_CURRENT],
                "seen_then_at_second_look": 2,
                "new_calcifications": [],
                "second_look": ENCODED_RECHECK,
            }
        ],
    }


def test_a_recheck_has_the_keys_that_a_workflow_stores() -> None:
    rechecked = RecheckedFinding(CURRENT, "8 at 1, 2", RECHECK, (PointPx(1.25, 2.0),), 0.4)

    assert encode_recheck(rechecked) == {
        "current": ENCODED_CURRENT,
        "about": "8 at 1, 2",
        "look": ENCODED_RECHECK,
        "place": [[1.2, 2.0]],
        "error_mm": 0.4,
        "seen": [],
        "unseen": [],
    }


def test_a_recheck_of_a_workflow_of_an_earlier_version_is_read() -> None:
    rechecked = RecheckedFinding(CURRENT, "8 at 1, 2", RECHECK, (PointPx(1.2, 2.0),), 0.4)
    stored = encode_recheck(rechecked)
    del stored["seen"], stored["unseen"]

    assert decode_recheck(stored) == rechecked


def test_a_view_pair_has_the_keys_that_programs_read() -> None:
    place = BreastPlace(Quadrant.UPPER_OUTER, BreastHalf.OUTER, 2)
    pair = ViewPair(CURRENT, PRIOR, 0.9, (41.0, 43.0), place)

    assert encode_view_pair(pair) == {
        "cc": ENCODED_CURRENT,
        "mlo": ENCODED_PRIOR,
        "confidence": 0.9,
        "depths_mm": [41.0, 43.0],
        "quadrant": "upper outer",
        "half": "outer",
        "clock_hour": 2,
    }
