"""The score of an exam, and what it is made from."""

from dataclasses import replace

import pytest

from secondread.assemble.scope import ImageSelection, select_images
from secondread.detect.calibration import Calibration
from secondread.findings.exam_score import combine_certainties, list_certainties
from secondread.reading import StudyContext, read_study
from tests.unit.followup.breasts import READER, Lie, detection, group, reading


def test_all_candidates_of_all_views_count_as_if_independent() -> None:
    study = reading((Lie(), group(45.0, 20.0, 8)))
    (finding,) = study.images[0].findings
    pair = (
        replace(finding, certainty=60.0),
        replace(finding, certainty=50.0, shown=False),
        replace(finding, certainty=99.0, shown=False, is_set_aside=True),  # is typically benign
    )
    two = replace(study, images=(replace(study.images[0], findings=pair),))

    assert combine_certainties(list_certainties(two)) == pytest.approx(0.8)
    assert combine_certainties(list_certainties(replace(study, images=()))) == 0.0


def test_a_reading_has_its_score_by_the_models_table() -> None:
    table = Calibration(calibrated=True, on="", points=((0, 0), (1, 100)), exam=((0, 5), (1, 95)))
    lie = Lie()
    header = lie.header()
    answers = {header.sop_instance_uid: detection(lie, header, [])}
    context = StudyContext(revision=1, cause="first")
    study = reading((lie, []))
    selection = select_images([header])

    done = read_study(
        study.study_uid,
        selection,
        answers,
        replace(READER, calibrate_exam=table.calibrate_exam),
        context,
    )

    assert done.exam_score == 5.0
    assert study.exam_score is None
    assert read_study("1.2", ImageSelection((), ()), {}, READER, context).exam_score is None
