"""Rules of the whole suite: peers, the real exams, and a clean environment."""

import gc
import logging
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import structlog
from _pytest.doctest import DoctestModule

from tests.peers.postgres_server import PostgresServer, running_server

# Tests run in several processes at once, and start others: one thread of arithmetic in each. Set
# before NumPy and OpenCV are loaded.
for _limit in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
    os.environ.setdefault(_limit, "1")
# No test reports to anybody, one that imports ONNX Runtime by itself neither.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

# Modules and collected tests live as long as the process: the collector need not go through them.
gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Look for doctests in the package only: the tests have none, and each process would search."""
    found = yield
    return [collector for collector in found if not isinstance(collector, DoctestModule)]


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


ROOT = Path(__file__).resolve().parent.parent
EXAMS = ROOT.parent / "shared" / "exams"

# Programs that are not on the PATH under their own name.
_ELSEWHERE = {
    "postgres": "usr/lib/postgresql/*/bin/postgres",
    "pixelmed": "usr/share/java/pixelmed.jar",
    "saxon": "usr/share/java/Saxon-HE.jar",
    "Orthanc": "usr/sbin/Orthanc",
    "rsyslogd": "usr/sbin/rsyslogd",
    "orthanc-webviewer": "usr/share/orthanc/plugins/libOrthancWebViewer.so",
}


def _installed(peer: str) -> bool:
    pattern = _ELSEWHERE.get(peer)
    return shutil.which(peer) is not None or bool(pattern and any(Path("/").glob(pattern)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("peer"):
        missing = [peer for peer in mark.args if not _installed(peer)]
        if missing and os.environ.get("CI") == "true":
            pytest.fail(f"CI needs {', '.join(missing)}: run `make peers`", pytrace=False)
        if missing:
            pytest.skip(f"{', '.join(missing)} not installed (`make peers`)")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SECONDREAD__")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Take back what a command that ran in this process has set up for its own output.

    Its stream is closed by then: each later record would print the stack of a fault instead. What
    is shared by the tests of a module may have set it up before this one.
    """
    structlog.reset_defaults()
    root = logging.getLogger()
    level, umask = root.level, os.umask(0o022)
    os.umask(umask)
    yield
    os.umask(umask)
    root.handlers[:] = [one for one in root.handlers if type(one) is not logging.StreamHandler]
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests that ask for it; each makes databases of its own."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def exams() -> Path:
    """The folder of real mammograms; the test is skipped where it is not."""
    if not EXAMS.is_dir():
        pytest.skip("the real exams are not at hand (../shared/exams)")
    return EXAMS
