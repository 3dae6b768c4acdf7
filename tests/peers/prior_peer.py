"""An archive that is asked for priors, and answers as real ones do, or as they should not."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, DEFAULT_TRANSFER_SYNTAXES, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    DigitalMammographyXRayImageStorageForPresentation,
    MammographyCADSRStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from secondread.settings import PriorSourceSettings, RetrieveMethod

Answers = Iterator[tuple[object, Dataset | None]]

_RETURNED = {
    "STUDY": (
        *("StudyInstanceUID", "StudyDate", "PatientID", "IssuerOfPatientID"),
        *("PatientName", "PatientBirthDate"),
    ),
    "SERIES": ("StudyInstanceUID", "SeriesInstanceUID", "Modality"),
    "IMAGE": (
        *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"),
        *("ImageLaterality", "ViewCodeSequence", "PresentationIntentType", "ImageType"),
    ),
}
_LEFT_EMPTY = {
    "STUDY": ("NumberOfStudyRelatedInstances",),
    "SERIES": ("NumberOfSeriesRelatedInstances",),
    "IMAGE": ("NumberOfFrames", "Rows"),
}
"""Numbers that it knows as keys and has no value for."""
_OWN_KEY = {
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}


@dataclass
class PriorPeer:
    """The archive: what it holds, and how it misbehaves."""

    held: list[Dataset] = field(default_factory=list)
    destination: tuple[str, int] | None = None
    """Where C-MOVE sends to; None: it knows no destination."""
    find_status: int | None = None
    """Answer to every query instead of matches."""
    knows_images: bool = True
    """Whether it answers queries below the level of studies."""
    is_implicit: bool = False
    """Whether it takes queries in Implicit VR alone, in which empty values lose their VR."""
    knows_reports: bool = True
    """Whether it answers queries for documents, instead of breaking the association off."""
    offered: Callable[[Dataset], list[Dataset]] | None = None
    """Matches of its own invention, for queries for studies."""
    sent_instead: Sequence[Dataset] | None = None
    """What it sends, whatever is asked for."""
    withheld: int = 0
    """How many sub-operations it fails."""
    delay: float = 0.0
    """Seconds before each sub-operation, and each answer to a query."""
    is_endless: bool = False
    """Whether a C-GET goes on for ever."""
    queries: list[Dataset] = field(default_factory=list)
    retrievals: list[Dataset] = field(default_factory=list)
    port: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def source(self, retrieve: RetrieveMethod, **values: object) -> PriorSourceSettings:
        return PriorSourceSettings.model_validate(
            {
                "name": "archive",
                "ae_title": "ARCHIVE",
                "host": "127.0.0.1",
                "port": self.port,
                "retrieve": retrieve,
                "timeout_seconds": 5,
                "attempt_seconds": 5,
                **values,
            }
        )

    def find(self, event: Event) -> Answers:
        keys = event.identifier
        self.queries.append(keys)
        time.sleep(self.delay)
        level = keys.QueryRetrieveLevel
        if self.find_status is not None or (level != "STUDY" and not self.knows_images):
            yield self.find_status or 0xA900, None
            return
        if keys.get("Modality") == "SR" and not self.knows_reports:
            event.assoc.abort()
            return
        if self.offered is not None and level == "STUDY":
            for match in self.offered(keys):
                yield 0xFF00, match
            return
        seen: set[str] = set()
        for ds in self.held:
            own = str(ds[_OWN_KEY[level]].value)
            if own not in seen and self._matches(ds, keys):
                seen.add(own)
                yield 0xFF00, _answer(ds, level)

    def _matches(self, ds: Dataset, keys: Dataset) -> bool:
        for keyword in ("PatientID", "IssuerOfPatientID", "Modality", *_OWN_KEY.values()):
            wanted = str(keys.get(keyword, "") or "")
            if wanted and wanted != str(ds.get(keyword, "")):
                return False
        first, _, last = str(keys.get("StudyDate", "") or "").partition("-")
        return not first or first <= str(ds.StudyDate) <= last

    def _asked(self, keys: Dataset) -> list[Dataset]:
        self.retrievals.append(keys)
        if self.sent_instead is not None:
            return list(self.sent_instead)
        return [ds for ds in self.held if self._matches(ds, keys)]

    def _operations(self, found: list[Dataset]) -> Answers:
        for number, ds in enumerate(found):
            self.stopping.wait(self.delay)
            yield 0xFF00, (_without_class(ds) if number < self.withheld else ds)

    def move(self, event: Event) -> Iterator[object]:
        found = self._asked(event.identifier)
        if self.destination is None:
            yield None, None
            return
        if self.sent_instead is not None:
            self._deliver(found, event.assoc.requestor.ae_title)
            found = []
        yield *self.destination, {"ae_title": "SECONDREAD"}
        yield len(found)
        yield from self._operations(found)

    def _deliver(self, found: list[Dataset], originator: str) -> None:
        """Send by itself, and name who asked, which pynetdicom's own mover gets wrong."""
        entity = AE("ARCHIVE")
        assert self.destination is not None
        uid = DigitalMammographyXRayImageStorageForPresentation
        entity.add_requested_context(uid, ExplicitVRLittleEndian)
        association = entity.associate(*self.destination, ae_title="SECONDREAD")
        assert association.is_established
        for ds in found:
            association.send_c_store(ds, originator_aet=originator, originator_id=1)
        association.release()

    def get(self, event: Event) -> Iterator[object]:
        found = self._asked(event.identifier)
        if self.is_endless:
            yield 60_000
            while not self.stopping.is_set():
                yield from self._operations(found)
            return
        yield len(found)
        yield from self._operations(found)


def _answer(ds: Dataset, level: str) -> Dataset:
    match = Dataset()
    for keyword in _RETURNED[level]:
        if keyword in ds:
            match[keyword] = ds[keyword]
    for keyword in _LEFT_EMPTY[level]:
        setattr(match, keyword, None)
    match.QueryRetrieveLevel = level
    return match


def _without_class(ds: Dataset) -> Dataset:
    """Return what cannot be sent."""
    broken = Dataset()
    broken.SOPInstanceUID = ds.SOPInstanceUID
    return broken


@contextmanager
def serving(peer: PriorPeer) -> Iterator[PriorPeer]:
    entity = AE("ARCHIVE")
    syntaxes = [ImplicitVRLittleEndian] if peer.is_implicit else DEFAULT_TRANSFER_SYNTAXES
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind, syntaxes)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelGet)
    for uid in (DigitalMammographyXRayImageStorageForPresentation, MammographyCADSRStorage):
        entity.add_supported_context(uid, ExplicitVRLittleEndian, scu_role=True, scp_role=True)
        entity.add_requested_context(uid, ExplicitVRLittleEndian)
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[
            (evt.EVT_C_FIND, peer.find),
            (evt.EVT_C_MOVE, peer.move),
            (evt.EVT_C_GET, peer.get),
        ],
    )
    assert server is not None
    assert server.socket is not None
    peer.port = server.socket.getsockname()[1]
    try:
        yield peer
    finally:
        peer.stopping.set()
        server.shutdown()
