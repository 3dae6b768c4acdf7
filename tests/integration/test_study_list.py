"""Lists of studies from archives that answer long, cut, twice, at random, or badly."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event

from secondread.send import study_list
from secondread.send.call_error import CallError
from secondread.send.find import STUDY_ROOT_FIND
from secondread.send.outbox import PeerAddress, never_cancelled
from secondread.send.study_list import StudyList, choose_mammography, list_mammography

DAY = date(2026, 3, 9)


@pytest.fixture(autouse=True)
def _short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the same happen with a fifth of the studies."""
    monkeypatch.setattr(study_list, "_LONG_ANSWER", 10)


def study(number: int, at: str = "", modalities: object = "MG", day: str = "20260309") -> Dataset:
    ds = Dataset()
    ds.StudyInstanceUID, ds.StudyDate, ds.StudyTime = f"1.2.{number}", day, at
    ds.ModalitiesInStudy = modalities
    ds.Modality = "MG" if number % 2 else "US"
    return ds


def spread(count: int) -> list[Dataset]:
    """So many studies over the day."""
    minutes = [number * 1439 // count for number in range(count)]
    return [study(n, f"{at // 60:02}{at % 60:02}00") for n, at in enumerate(minutes, start=1)]


@dataclass
class ListingPeer:
    """An archive that answers C-FIND as its fields say."""

    held: Sequence[Dataset] = ()
    most: int = 100_000
    """It cuts its answers to so many, and says nothing."""
    refuses_beyond: int = 100_000
    """It answers A700 where there would be more."""
    looks_at_keys: bool = True
    status: int = 0x0000
    changes: Callable[[Dataset], Dataset] = lambda ds: ds
    asked: list[Dataset] = field(default_factory=list)
    port: int = 0

    def find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        keys = event.identifier
        self.asked.append(keys)
        matches = [ds for ds in self.held if not self.looks_at_keys or self._matches(ds, keys)]
        if len(matches) > self.refuses_beyond or self.status:
            yield self.status or 0xA700, None
            return
        for ds in matches[: self.most]:
            yield 0xFF00, self.changes(ds)

    def _matches(self, ds: Dataset, keys: Dataset) -> bool:
        if keys.QueryRetrieveLevel == "SERIES":
            return bool(ds.StudyInstanceUID == keys.StudyInstanceUID)
        first, _, last = str(keys.StudyTime or "").partition("-")
        is_within = not first or first <= str(ds.StudyTime) <= last
        return is_within and str(keys.StudyDate) == ds.StudyDate

    def ask(self, **values: bool) -> StudyList:
        with self.serving() as address:
            return list_mammography(address, "SECONDREAD", [DAY], never_cancelled, **values)

    @contextmanager
    def serving(self) -> Iterator[PeerAddress]:
        entity = AE(ae_title="PACS")
        entity.add_supported_context(STUDY_ROOT_FIND)
        server = entity.start_server(
            ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_FIND, self.find)]
        )
        assert server is not None
        assert server.socket is not None
        try:
            port = server.socket.getsockname()[1]
            yield PeerAddress("PACS", "127.0.0.1", port, timeout_seconds=30)
        finally:
            server.shutdown()


def test_an_archive_is_asked_by_day_and_modality_and_for_no_patient() -> None:
    peer = ListingPeer([study(1), study(2, day="20260308")])
    assert set(peer.ask().studies) == {"1.2.1"}
    (keys,) = peer.asked
    assert (keys.QueryRetrieveLevel, keys.StudyDate, keys.ModalitiesInStudy) == (
        "STUDY",
        "20260309",
        "MG",
    )
    assert not any("Patient" in element.keyword for element in keys)


@pytest.mark.parametrize(("most", "refuses_beyond"), [(12, 999), (999, 12)])
def test_a_long_list_that_is_cut_or_refused_is_asked_for_in_parts(
    most: int, refuses_beyond: int
) -> None:
    peer = ListingPeer(spread(50), most=most, refuses_beyond=refuses_beyond)
    assert len(peer.ask().studies) == 50
    assert len(peer.asked) < 40


def test_what_has_no_time_is_kept_from_the_whole_days_answer() -> None:
    peer = ListingPeer([*spread(12), study(999)])
    assert "1.2.999" in peer.ask().studies


def test_an_archive_that_looks_at_no_keys_is_not_asked_for_ever_and_its_answer_filtered() -> None:
    others = [study(n, "120000", day="20250101") for n in range(5000, 5010)]
    notes = [study(n, "120000", "US") for n in range(6000, 6005)]
    peer = ListingPeer([*spread(12), *others, *notes], looks_at_keys=False)
    assert len(peer.ask().studies) == 12
    assert len(peer.asked) == 3, "the day, and its halves"


def test_a_study_that_is_listed_twice_counts_once() -> None:
    assert set(ListingPeer([study(1), study(1), study(3)]).ask().studies) == {"1.2.1", "1.2.3"}


def test_answers_that_say_nothing_are_counted_and_cost_the_others_nothing() -> None:
    empty, wrong = Dataset(), Dataset()
    empty.StudyDate = "20260309"
    with disable_value_validation():
        wrong.StudyInstanceUID, wrong.ModalitiesInStudy = "none", "MG"
    found = ListingPeer([study(1), empty, wrong], looks_at_keys=False).ask()
    assert (set(found.studies), found.unreadable) == ({"1.2.1"}, 2)


@pytest.mark.filterwarnings("ignore:Unknown encoding")  # of the peer, which writes it
@pytest.mark.parametrize("characters", ["ISO_IR 100", "ISO 2022 IR 87", "GB18030", "ISO_IR 999"])
def test_other_character_sets_and_bytes_that_fit_none_change_nothing(characters: str) -> None:
    def change(ds: Dataset) -> Dataset:
        changed = Dataset()
        changed.update(ds)
        changed.SpecificCharacterSet = characters
        for keyword in ("PatientID", "PatientName"):
            changed.add_new(keyword, "UN", b"M\xfcller\x1b$B^\xff")
        return changed

    assert set(ListingPeer([study(1)], changes=change).ask(with_patients=True).studies) == {"1.2.1"}


def test_several_modalities_count_as_mammography_if_one_of_them_is() -> None:
    found = ListingPeer([study(1, modalities=["US", "MG"]), study(2, modalities=["US"])]).ask()
    assert set(found.studies) == {"1.2.1"}
    assert found.unclear == {}


def test_where_the_list_names_no_modality_the_series_are_asked_about() -> None:
    peer = ListingPeer([study(1, modalities=""), study(2, modalities="")])
    found = peer.ask()
    assert (set(found.studies), set(found.unclear)) == (set(), {"1.2.1", "1.2.2"})
    with peer.serving() as address:
        chosen = choose_mammography(address, "SECONDREAD", found.unclear, never_cancelled)
    assert chosen == {"1.2.1"}


@pytest.mark.parametrize("status", [0xC000, 0xA700, 0xA900])
def test_an_archive_that_fails_whatever_is_asked_is_left(status: int) -> None:
    peer = ListingPeer([study(1)], status=status)
    with pytest.raises(CallError, match=f"0x{status:04X}"):
        peer.ask()
    assert len(peer.asked) < 10
