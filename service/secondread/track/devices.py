"""Which devices made the exams, and how their first readings were scored, the latest first."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from secondread.assemble.device import Device
from secondread.track.database import TrackerPart, insert_if_new
from secondread.track.summaries import DeviceSummary
from secondread.track.tables import DeviceReadingRow, DeviceRow, RevisionRow
from secondread.track.turnaround import FIRST
from secondread.track.values import RecordedReading


class Devices(TrackerPart):
    """Questions about devices."""

    def list_devices(self) -> list[DeviceSummary]:
        """Return the devices in the order in which their first exams were read."""
        with self._database.begin_read() as session:
            rows = session.scalars(select(DeviceRow).order_by(DeviceRow.id))
            devices = [(row.id, Device(row.manufacturer, row.model)) for row in rows]
        return [
            DeviceSummary(number, label_device(device, number), device)
            for number, device in devices
        ]

    def load_scores(self, device: int, model_digest: str, limit: int) -> list[float]:
        """Return the exam scores (0-100) of a device's first readings by a model, latest first."""
        latest = (
            select(DeviceReadingRow.exam_score)
            .where(DeviceReadingRow.device == device, DeviceReadingRow.model_digest == model_digest)
            .order_by(DeviceReadingRow.id.desc())
            .limit(limit)
        )
        with self._database.begin_read() as session:
            return list(session.scalars(latest))


def add_device_reading(
    session: Session, revision: RevisionRow, reading: RecordedReading, now: datetime
) -> str | None:
    """Record which device made an exam, and how its first reading was scored.

    Returns
    -------
    str or None
        The device's label for metrics; None where the reading is not the first, or no image that
        was read names a device.
    """
    if revision.number != FIRST or reading.device is None:
        return None
    device = reading.device
    by_name = DeviceRow.manufacturer == device.manufacturer, DeviceRow.model == device.model
    wanted = select(DeviceRow.id).where(*by_name)
    number = session.scalar(wanted)
    if number is None:
        names = {"manufacturer": device.manufacturer, "model": device.model}
        insert_if_new(session, DeviceRow, names)
        number = session.scalars(wanted).one()
    if reading.exam_score is not None:
        session.add(
            DeviceReadingRow(
                device=number,
                revision=revision.id,
                model_digest=revision.model_digest,
                exam_score=reading.exam_score,
                shown=reading.shown_lesions,
                read_at=now,
            )
        )
    return label_device(device, number)


def label_device(device: Device, number: int) -> str:
    """Return a device's name in metrics, alarms and logs, for example ``hologic-2``."""
    return f"{device.maker}-{number}"
