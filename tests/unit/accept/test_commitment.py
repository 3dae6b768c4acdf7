"""Storage commitment reports as values."""

import pytest
from pydicom.dataset import Dataset

from secondread.accept.commitment import read_commitment_report
from tests.unit.accept.fakes import commitment_report


def test_a_report_names_what_is_committed_and_what_is_not() -> None:
    report = read_commitment_report(commitment_report("1.2.3", ["1.1", "1.2"], {"1.3": 0x0112}))
    assert report.transaction_uid == "1.2.3"
    assert report.committed == {"1.1", "1.2"}
    assert report.refused == {"1.3": 0x0112}


def test_an_instance_that_is_in_both_lists_is_refused() -> None:
    report = read_commitment_report(commitment_report("1.2.3", ["1.1"], {"1.1": 0x0119}))
    assert (report.committed, report.refused) == (frozenset(), {"1.1": 0x0119})


def test_a_refusal_without_a_reason_is_a_processing_failure() -> None:
    information = commitment_report("1.2.3", [], {"1.1": 0x0112})
    del information.FailedSOPSequence[0].FailureReason
    assert read_commitment_report(information).refused == {"1.1": 0x0110}


def test_items_that_name_no_instance_are_passed_over() -> None:
    information = commitment_report("1.2.3", ["1.1", "../../etc"], {})
    information.ReferencedSOPSequence.append(Dataset())
    assert read_commitment_report(information).committed == {"1.1"}


@pytest.mark.parametrize("uid", ["", "abc", "1" * 65, "1.2\n"])
def test_a_report_without_a_proper_transaction_is_none(uid: str) -> None:
    information = commitment_report("1.2.3", ["1.1"], {})
    information["TransactionUID"]._value = uid
    with pytest.raises(ValueError, match="Transaction UID"):
        read_commitment_report(information)
