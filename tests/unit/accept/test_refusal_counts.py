from collections.abc import Sequence
from datetime import timedelta

import pytest

from secondread.accept.ledger import Refusal, RefusalKind
from secondread.accept.refusal_counts import MAXIMUM_KEYS_PER_DAY, OTHERS, Caller, RefusalLog
from secondread.errors import TransientError
from secondread.reasons import Reason
from secondread.uids import quote_uid
from tests.unit.accept.fakes import NOW, MemoryLedger

PEER = Caller("MOD", "SECONDREAD", "10.1.2.3")


def flush(refusals: RefusalLog) -> list[Refusal]:
    written: list[Refusal] = []
    refusals.flush(written.extend)
    return written


def test_alike_refusals_become_one_with_a_count() -> None:
    refusals = RefusalLog()
    later = NOW + timedelta(minutes=5)
    for at in (NOW, later, NOW):
        refusals.add_refusal(
            RefusalKind.INSTANCE, Reason.SOP_CLASS_REFUSED, PEER, at, sop_class_uid="1.2.3"
        )
    (refusal,) = flush(refusals)
    assert (refusal.count, refusal.first_at, refusal.last_at) == (3, NOW, later)
    assert refusal.calling_ae_title == "MOD"
    assert (refusal.address, refusal.sop_class_uid) == ("10.1.2.3", "1.2.3")


def test_what_was_written_is_not_written_twice() -> None:
    refusals = RefusalLog()
    refusals.add_refusal(RefusalKind.ASSOCIATION, Reason.CALLING_AE_UNKNOWN, PEER, NOW)
    assert len(flush(refusals)) == 1
    assert flush(refusals) == []


def test_what_the_ledger_cannot_take_waits_and_adds_up() -> None:
    refusals, ledger = RefusalLog(), MemoryLedger()
    ledger.away = True
    refusals.add_refusal(RefusalKind.ASSOCIATION, Reason.CALLING_AE_UNKNOWN, PEER, NOW)
    with pytest.raises(TransientError):
        refusals.flush(ledger.record_refusals)
    refusals.add_refusal(RefusalKind.ASSOCIATION, Reason.CALLING_AE_UNKNOWN, PEER, NOW)
    assert [refusal.count for refusal in flush(refusals)] == [2]


def test_a_scan_with_changing_titles_makes_a_bounded_number_of_rows() -> None:
    refusals = RefusalLog()
    rows = set[tuple[str, str]]()
    for number in range(3 * MAXIMUM_KEYS_PER_DAY):
        peer = Caller(f"SCAN{number}", "SECONDREAD", "10.6.6.6")
        refusals.add_refusal(RefusalKind.ASSOCIATION, Reason.CALLING_AE_UNKNOWN, peer, NOW)
        if number % 100 == 0:
            rows |= {(row.calling_ae_title, row.address) for row in flush(refusals)}
    rest = flush(refusals)
    rows |= {(row.calling_ae_title, row.address) for row in rest}
    assert len(rows) == MAXIMUM_KEYS_PER_DAY + 1
    assert [row.count for row in rest if row.calling_ae_title == OTHERS] == [99]


def test_the_next_day_tells_peers_apart_again() -> None:
    refusals = RefusalLog()
    for number in range(MAXIMUM_KEYS_PER_DAY):
        peer = Caller(f"SCAN{number}", "SECONDREAD", "10.6.6.6")
        refusals.add_refusal(RefusalKind.ASSOCIATION, Reason.CALLING_AE_UNKNOWN, peer, NOW)
    flush(refusals)
    tomorrow = NOW + timedelta(days=1)
    refusals.add_refusal(RefusalKind.ASSOCIATION, Reason.CALLING_AE_UNKNOWN, PEER, tomorrow)
    assert [row.calling_ae_title for row in flush(refusals)] == ["MOD"]


def test_a_peers_texts_are_cut_and_made_printable() -> None:
    refusals = RefusalLog()
    peer = Caller("\x1b[31mEVIL\n" + "A" * 500, "B" * 500, "C" * 500)
    refusals.add_refusal(
        RefusalKind.CONTEXT, Reason.SOP_CLASS_REFUSED, peer, NOW, sop_class_uid="1\n" * 500
    )
    written: Sequence[Refusal] = flush(refusals)
    assert written[0].calling_ae_title == "?[31mEVIL?AAAAAA"
    assert (len(written[0].called_ae_title), len(written[0].address)) == (16, 45)
    assert written[0].sop_class_uid == quote_uid("1\n" * 500)
    assert "1" not in written[0].sop_class_uid


def test_whoever_calls_all_the_time_fills_no_log() -> None:
    refusals = RefusalLog()
    seconds = [0, 1, 2, 59, 60, 61, 130]

    def add(caller: Caller, second: int) -> int:
        at = NOW + timedelta(seconds=second)
        return refusals.add_refusal(RefusalKind.ASSOCIATION, Reason.CALLING_AE_UNKNOWN, caller, at)

    assert [add(PEER, second) for second in seconds] == [1, 0, 0, 0, 4, 0, 2]
    assert add(PEER._replace(address="10.9.9.9"), 131) == 1, "another caller is another matter"
