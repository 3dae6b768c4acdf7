"""The model that reads, opened from its settings, and who signs what it writes."""

import socket
from collections.abc import Iterable

from secondread import __version__
from secondread.codes import MarkClass
from secondread.detect.gates import ALL_GATES, Gate
from secondread.detect.manifest import load_manifest
from secondread.errors import SettingsError
from secondread.findings.finding import ModelIdentity, StatedOperatingPoint
from secondread.findings.operating_point import OperatingPoint
from secondread.reading import Reader
from secondread.report.result import NodeIdentity
from secondread.report.sr.uids import derive_device_uid
from secondread.settings import DetectSettings, FindingsSettings

MANUFACTURER = "Secondread"
MODEL_NAME = "Secondread"


def make_node_identity(installation_id: str, station_name: str, institution: str) -> NodeIdentity:
    """Return the identity that the node writes into results."""
    return NodeIdentity(
        manufacturer=MANUFACTURER,
        model_name=MODEL_NAME,
        version=__version__,
        device_uid=derive_device_uid(installation_id),
        station_name=station_name[:16],
        institution=institution,
    )


def read_station_name() -> str:
    """Return the name of this machine, as Station Name holds it (16 characters)."""
    return "".join(c for c in socket.gethostname().split(".")[0] if c.isascii())[:16]


def check_gate_names(names: Iterable[str]) -> frozenset[str]:
    """Return the names of gates to override, all of them checked.

    Raises
    ------
    SettingsError
        There is no gate of a name.
    """
    valid = {gate.value for gate in Gate} | {ALL_GATES}
    gates = frozenset(names)
    if unknown := sorted(gates - valid):
        raise SettingsError(
            f"no gate is called {', '.join(unknown)}; there are: {', '.join(sorted(valid))}"
        )
    return gates


def open_reader(detect: DetectSettings, findings: FindingsSettings) -> Reader:
    """Return identity, calibration and operating point of the model in force.

    Raises
    ------
    ModelError
        The manifest, one of its graphs or the site's calibration is wrong.
    SettingsError
        The manifest has no such operating point as the settings name.
    """
    manifest = load_manifest(detect.manifest, detect.site_calibration)
    point = manifest.find_operating_point(findings.operating_point)
    site = manifest.site
    return Reader(
        model=ModelIdentity(
            name=manifest.name,
            version=manifest.version,
            digest=manifest.digest,
            operating_point=point.number,
            calibrated=manifest.calibrated,
            site_exams=site.exams if site is not None and site.find_point(point.number) else None,
            points=tuple(
                StatedOperatingPoint(
                    number=stated.number,
                    name=stated.name,
                    minimum_certainty=stated.minimum_certainty[MarkClass.CLUSTER],
                    false_marks_per_image=stated.false_marks_per_image,
                    stated_on=stated.stated_on,
                )
                for stated in manifest.operating_points
                if MarkClass.CLUSTER in stated.minimum_certainty
            ),
        ),
        calibrate=manifest.calibrate,
        point=OperatingPoint(
            number=point.number,
            name=point.name,
            minimum_certainty=point.minimum_certainty.get(MarkClass.CLUSTER, 101.0),
            calibrate_benign=manifest.calibration.calibrate_benign,
        ),
        groups=manifest.groups,
        calibrate_exam=manifest.calibration.calibrate_exam,
    )
