"""Detector children side by side: what becomes of one image costs no other."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from secondread.detect.child import DetectorChild, DetectorLimitError
from secondread.detect.pool import DetectorPool
from secondread.reasons import ImageStatus, Reason
from secondread.settings import DetectSettings
from tests.unit.detect.pictures import breast_image, dataset, file, with_dots

BASELINE = Path(__file__).parents[2] / "models" / "calcification" / "baseline" / "manifest.toml"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, plain = tmp_path_factory.mktemp("pictures"), breast_image(1100, 900)
    marked = with_dots(plain, [(500, 200), (520, 230), (480, 240)], height=160)
    images = {"marked": marked, "plain": plain}
    return [file(folder / f"{name}.dcm", dataset(image)) for name, image in images.items()]


@pytest.fixture(scope="module")
def pool() -> Iterator[DetectorPool]:
    with DetectorPool(DetectSettings(manifest=BASELINE), 2) as pool:
        yield pool


def get_next(pool: DetectorPool) -> DetectorChild:
    """Return the child that the next image goes to: the one that was used last."""
    return pool._free.queue[-1]


def test_images_that_come_one_by_one_need_one_child(
    pool: DetectorPool, pictures: list[Path], tmp_path: Path
) -> None:
    for picture in pictures:
        assert pool.detect(picture, tmp_path / "x.npy").status is ImageStatus.READ

    assert [child.pid is None for child in pool.children] == [False, True]


def test_an_image_that_hangs_is_given_up_alone_while_others_are_read(
    pool: DetectorPool, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marked, plain = pictures
    expected = pool.detect(marked, tmp_path / "x.npy").marks
    first = get_next(pool)
    assert first.pid is not None
    brief = DetectSettings(manifest=BASELINE, view_seconds=2.0)
    monkeypatch.setattr(first, "_settings", brief)
    os.kill(first.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as other:
        hanging = other.submit(pool.detect, plain, tmp_path / "y.npy")
        while first._lock.acquire(blocking=False):  # until it has the image
            first._lock.release()

        assert pool.detect(marked, tmp_path / "x.npy").marks == expected
        with pytest.raises(DetectorLimitError) as caught:
            hanging.result()
    assert caught.value.reason is Reason.TIME_LIMIT


def test_a_child_that_is_killed_over_one_image_leaves_the_others_answer_as_it_is(
    pool: DetectorPool, pictures: list[Path], tmp_path: Path
) -> None:
    marked, plain = pictures
    expected = [pool.detect(picture, tmp_path / "x.npy").marks for picture in pictures]
    first = get_next(pool)
    assert first.pid is not None
    os.kill(first.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as other:
        killed = other.submit(pool.detect, plain, tmp_path / "y.npy")
        while first._lock.acquire(blocking=False):
            first._lock.release()
        beside = pool.detect(marked, tmp_path / "x.npy")
        os.kill(first.pid, signal.SIGKILL)

        assert [beside.marks, killed.result().marks] == expected
