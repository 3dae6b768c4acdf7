"""The supervised detector: limits, deaths of every kind, and that the next image is read."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY
from pydicom.uid import RLELossless

from secondread.detect.child import (
    KILLS_TOLERATED,
    DetectorChild,
    DetectorKilledError,
    DetectorLimitError,
    DetectorStartError,
)
from secondread.errors import InputError, ModelError, TransientError
from secondread.geometry import PointPx
from secondread.reasons import ImageStatus, Reason
from secondread.settings import DetectSettings
from tests.unit.detect import models
from tests.unit.detect.pictures import breast_image, dataset, file, with_dots

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = [(500, 200), (520, 230), (480, 240)]

# The analytic model: it is known what it makes of artificial pictures.
BASELINE = Path(__file__).parents[2] / "models" / "calcification" / "baseline" / "manifest.toml"


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    image = with_dots(breast_image(1100, 900), CLUSTER, height=160)
    return file(tmp_path_factory.mktemp("picture") / "x.dcm", dataset(image))


@pytest.fixture(scope="module")
def child() -> Iterator[DetectorChild]:
    with DetectorChild(DetectSettings(manifest=BASELINE)) as child:
        yield child


def deaths(reason: Reason) -> float:
    labels = {"reason": reason.value}
    return REGISTRY.get_sample_value("secondread_detector_deaths_total", labels) or 0.0


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def has_ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_one_process_answers_image_after_image(child: DetectorChild, picture: Path) -> None:
    first = child.detect(picture)
    pid = child.pid
    second = child.detect(picture)

    assert first.status is ImageStatus.READ
    assert len(first.marks) >= 3
    assert second.marks == first.marks
    assert child.pid == pid


def test_the_display_is_written_whole(child: DetectorChild, picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "display.npy"

    child.detect(picture, target)

    display = np.load(target, allow_pickle=False)
    assert display.shape == (1100, 900)
    assert display.dtype == np.uint8
    assert list(tmp_path.iterdir()) == [target]


def test_the_same_picture_is_had_without_a_reading(
    child: DetectorChild, picture: Path, tmp_path: Path
) -> None:
    child.detect(picture, tmp_path / "read.npy")

    child.write_display(picture, tmp_path / "shown.npy")

    shown = np.load(tmp_path / "shown.npy", allow_pickle=False)
    assert np.array_equal(shown, np.load(tmp_path / "read.npy", allow_pickle=False))


def test_of_what_cannot_be_decoded_there_is_no_picture(
    child: DetectorChild, tmp_path: Path
) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + os.urandom(5000))

    child.write_display(path, tmp_path / "shown.npy")

    assert not (tmp_path / "shown.npy").exists()


def test_overrides_reach_the_gates(child: DetectorChild, tmp_path: Path) -> None:
    path = file(tmp_path / "x.dcm", dataset(breast_image(1100, 900), LossyImageCompression="01"))

    assert child.detect(path).status is ImageStatus.REFUSED
    assert child.detect(path, overrides=frozenset({"lossy"})).status is ImageStatus.FLAGGED


def test_a_garbage_file_is_answered_as_failed_and_the_child_lives(
    child: DetectorChild, picture: Path, tmp_path: Path
) -> None:
    path, target = tmp_path / "x.dcm", tmp_path / "display.npy"
    path.write_bytes(b"\0" * 128 + b"DICM" + os.urandom(5000))
    child.detect(picture)
    pid = child.pid

    detection = child.detect(path, target)

    assert detection.status is ImageStatus.FAILED
    assert detection.reasons[0] in {
        *(Reason.DATA_SET_INVALID, Reason.HEADER_INVALID, Reason.PIXELS_UNREADABLE)
    }
    assert detection.detail
    assert not target.exists()
    assert child.pid == pid


def test_a_missing_file_can_be_tried_again(child: DetectorChild, tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="FileNotFoundError"):
        child.detect(tmp_path / "nowhere.dcm")


def test_a_display_that_cannot_be_written_can_be_tried_again(
    child: DetectorChild, picture: Path, tmp_path: Path
) -> None:
    with pytest.raises(TransientError, match="FileNotFoundError"):
        child.detect(picture, tmp_path / "no folder" / "display.npy")


def test_a_child_killed_while_idle_is_replaced_without_a_word(
    child: DetectorChild, picture: Path
) -> None:
    child.detect(picture)
    pid = child.pid
    assert pid is not None
    before = deaths(Reason.DETECTOR_DIED)
    os.kill(pid, signal.SIGKILL)
    # All its threads have gone, not only the first, which is what /proc shows as a zombie.
    assert os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT) is not None

    assert child.detect(picture).status is ImageStatus.READ
    assert child.pid != pid
    assert deaths(Reason.DETECTOR_DIED) == before


def test_the_memory_of_a_child_that_dies_of_a_fault_is_not_written(
    child: DetectorChild, picture: Path
) -> None:
    child.detect(picture)
    limits = Path(f"/proc/{child.pid}/limits").read_text(encoding="ascii")
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]


def test_a_child_killed_from_outside_is_replaced_and_its_image_is_read(
    child: DetectorChild, picture: Path
) -> None:
    child.detect(picture)
    pid = child.pid
    assert pid is not None
    before = deaths(Reason.DETECTOR_DIED)
    os.kill(pid, signal.SIGSTOP)  # it takes the request and does not answer
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()

    assert child.detect(picture).status is ImageStatus.READ
    assert child.pid != pid
    assert deaths(Reason.DETECTOR_DIED) == before + 1


def test_an_image_over_which_every_child_is_killed_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child = DetectorChild(DetectSettings(manifest=BASELINE))
    kills: list[int] = []

    def killed(_: object) -> None:
        kills.append(1)
        raise DetectorKilledError(Reason.DETECTOR_DIED, "SIGKILL")

    monkeypatch.setattr(child, "_request_once", killed)

    with pytest.raises(DetectorLimitError, match="SIGKILL"):
        child.detect(Path("x.dcm"))
    assert len(kills) == KILLS_TOLERATED + 1


def test_a_slow_start_is_the_machines_fault_and_the_next_may_take_longer(
    picture: Path,
) -> None:
    settings = DetectSettings(manifest=BASELINE, start_seconds=0.01)
    with DetectorChild(settings) as child:
        with pytest.raises(DetectorStartError, match="did not start"):
            child.detect(picture)
        assert child.pid is None
        assert child._start_factor == 2


def test_a_child_that_dies_at_its_start_is_no_images_fault(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(tmp_path, "import os; os.abort()", monkeypatch)

    with (
        DetectorChild(DetectSettings(manifest=BASELINE)) as child,
        pytest.raises(DetectorStartError),
    ):
        child.detect(picture)


def test_a_view_that_takes_too_long_is_killed(
    child: DetectorChild, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child.detect(picture)
    pid = child.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with monkeypatch.context() as patch:
        patch.setattr(child, "_settings", DetectSettings(manifest=BASELINE, view_seconds=0.3))
        with pytest.raises(DetectorLimitError, match=r"0\.3 s") as caught:
            child.detect(picture)

    assert caught.value.reason is Reason.TIME_LIMIT
    assert has_ended(pid)
    assert child.detect(picture).status is ImageStatus.READ


@pytest.fixture(scope="module")
def looker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DetectorChild]:
    manifest = models.two_graphs(tmp_path_factory.mktemp("two-graphs"))
    with DetectorChild(DetectSettings(manifest=manifest)) as child:
        yield child


MANY_PLACES = [PointPx(200.0 + number % 40, 500.0 + number // 40) for number in range(6000)]


def test_places_are_looked_at_as_many_as_one_likes(looker: DetectorChild, picture: Path) -> None:
    air = PointPx(850.5, 100.5)

    shares = looker.score_places(picture, [air, *MANY_PLACES])

    assert shares is not None
    assert len(shares) == 1 + len(MANY_PLACES)
    assert shares[0] is None
    assert all(share is not None and 0 <= share <= 1 for share in shares[1:])


def test_a_model_that_cannot_look_says_so(child: DetectorChild, picture: Path) -> None:
    assert child.score_places(picture, [PointPx(200.5, 500.5)]) is None


def test_places_of_what_is_no_image_are_an_error_and_the_child_lives(
    looker: DetectorChild, picture: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + os.urandom(5000))
    looker.score_places(picture, [PointPx(1.0, 1.0)])  # the first request starts the child
    pid = looker.pid
    assert pid is not None

    with pytest.raises(InputError):
        looker.score_places(path, [PointPx(1.0, 1.0)])
    with pytest.raises(TransientError, match="FileNotFoundError"):
        looker.score_places(tmp_path / "nowhere.dcm", [PointPx(1.0, 1.0)])

    assert looker.pid == pid


@pytest.mark.parametrize("places", [MANY_PLACES[:3], MANY_PLACES])
def test_a_look_that_takes_too_long_is_killed_even_before_all_is_asked(
    looker: DetectorChild,
    picture: Path,
    monkeypatch: pytest.MonkeyPatch,
    places: list[PointPx],
) -> None:
    looker.score_places(picture, places[:1])
    pid = looker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # of a long request, the pipe takes only the beginning
    settings = DetectSettings(manifest=looker._settings.manifest, view_seconds=0.3)
    with monkeypatch.context() as patch:
        patch.setattr(looker, "_settings", settings)
        with pytest.raises(DetectorLimitError, match=r"0\.3 s") as caught:
            looker.score_places(picture, places)

    assert caught.value.reason is Reason.TIME_LIMIT
    assert has_ended(pid)
    assert looker.score_places(picture, places[:1]) is not None


def test_an_image_that_needs_too_much_memory_is_given_up_with_the_reason(
    picture: Path, tmp_path: Path
) -> None:
    large = dataset(np.zeros((7000, 7000), np.uint16))
    large.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    path = file(tmp_path / "large.dcm", large)

    with DetectorChild(DetectSettings(manifest=BASELINE, memory_bytes=256 * 1024**2)) as child:
        with pytest.raises(DetectorLimitError) as caught:
            child.detect(path)

        assert caught.value.reason is Reason.MEMORY_LIMIT
        assert child.detect(picture).status is ImageStatus.READ


def inject(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every Python process started from here on run this code first."""
    (folder / "sitecustomize.py").write_text(textwrap.dedent(code), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_a_crash_in_a_decoder_kills_the_child_only(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(
        tmp_path,
        """
        import ctypes
        from secondread.detect import decode as module
        whole = module.decode_pixels
        module.decode_pixels = lambda ds: ctypes.string_at(0) if ds.PatientID == "X" else whole(ds)
        """,
        monkeypatch,
    )
    evil = file(tmp_path / "evil.dcm", dataset(breast_image(1100, 900), PatientID="X"))

    with DetectorChild(DetectSettings(manifest=BASELINE)) as child:
        with pytest.raises(DetectorLimitError, match="SIGSEGV") as caught:
            child.detect(evil)

        assert caught.value.reason is Reason.DETECTOR_DIED
        assert child.detect(picture).status is ImageStatus.READ


def test_what_a_library_prints_is_never_taken_for_an_answer(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inject(
        tmp_path,
        """
        import os
        print('{"detection": "nonsense"}', flush=True)
        os.write(1, b'{"model_error": "nonsense"}\\n')
        """,
        monkeypatch,
    )

    with DetectorChild(DetectSettings(manifest=BASELINE)) as child:
        assert child.detect(picture).status is ImageStatus.READ


def test_a_model_that_cannot_be_loaded_is_a_model_error(picture: Path, tmp_path: Path) -> None:
    manifest = models.one_graph(tmp_path)
    (tmp_path / "dense.onnx").write_bytes(b"another file")

    with DetectorChild(DetectSettings(manifest=manifest)) as child:
        with pytest.raises(ModelError, match="SHA-256"):
            child.detect(picture)
        assert child.pid is None


def test_the_child_ends_with_its_parent_however_that_ends(picture: Path, tmp_path: Path) -> None:
    script = """
        import sys, time
        from pathlib import Path
        from secondread.detect.child import DetectorChild
        from secondread.settings import DetectSettings
        child = DetectorChild(DetectSettings())
        child.detect(Path(sys.argv[1]))
        print(child.pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(picture)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "service")},
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not has_ended(pid)
        parent.kill()

    wait_until(lambda: has_ended(pid))


def test_closing_ends_the_child(picture: Path) -> None:
    child = DetectorChild(DetectSettings(manifest=BASELINE))
    child.detect(picture)
    pid = child.pid
    assert pid is not None

    child.close()

    assert has_ended(pid)
