"""What is recorded of a header."""

from pydicom.dataset import Dataset

from secondread.accept.dispositions import Disposition
from secondread.reasons import Reason
from secondread.track.header_facts import read_header_facts, read_rejection_note
from tests.worlds.track_world import mammogram, rejection_note


def test_side_view_and_intent_are_kept() -> None:
    facts = read_header_facts(mammogram("LMLO"), Disposition.MAMMOGRAM)
    assert (facts.laterality, facts.view, facts.intent) == ("L", "MLO", "FOR PRESENTATION")
    assert facts.scope_reason is None


def test_a_header_that_makes_no_sense_is_kept_with_that_reason() -> None:
    header = mammogram("LMLO")
    del header.SeriesInstanceUID
    facts = read_header_facts(header, Disposition.MAMMOGRAM)
    assert facts.scope_reason is Reason.HEADER_INVALID
    assert facts.patient is not None


def test_an_image_outside_the_scope_says_why() -> None:
    header = mammogram("LMLO")
    header.EstimatedRadiographicMagnificationFactor = "1.8"
    assert read_header_facts(header, Disposition.MAMMOGRAM).scope_reason is Reason.MAGNIFICATION


def test_nobody_is_taken_for_anybody_else_without_a_patient_id() -> None:
    header = mammogram("LMLO", patient="  ")
    assert read_header_facts(header, Disposition.MAMMOGRAM).patient is None


def test_a_null_in_the_patient_id_is_dropped() -> None:
    facts = read_header_facts(mammogram("LMLO", patient="P\x001"), Disposition.MAMMOGRAM)
    assert facts.patient is not None
    assert facts.patient.patient_id == "P1"


def test_a_rejection_note_names_each_instance_once() -> None:
    note = read_rejection_note(rejection_note(["1.2.3", "1.2.4", "1.2.3"]))
    assert note.sop_instance_uids == ("1.2.3", "1.2.4")
    assert note.code == "113001"


def test_expired_retention_is_told_from_what_was_wrong() -> None:
    assert read_rejection_note(rejection_note(["1.2.3"], title="113039")).is_expiry
    assert not read_rejection_note(rejection_note(["1.2.3"], title="113038")).is_expiry


def test_a_note_without_evidence_withdraws_nothing() -> None:
    note = read_rejection_note(Dataset())
    assert note.sop_instance_uids == ()
