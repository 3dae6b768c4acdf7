"""A site's calibration as an overlay: what it changes, for which model, and what is refused."""

from pathlib import Path

import pytest

from secondread.codes import MarkClass
from secondread.detect.manifest import load_manifest
from secondread.detect.site_overlay import SiteCalibration
from secondread.detect.toml_table import read_toml
from secondread.errors import ModelError
from tests.unit.detect import models
from tests.unit.detect.overlays import overlay


def write_overlay(folder: Path, site: SiteCalibration) -> Path:
    path = folder / "site.toml"
    path.write_text(site.as_toml(), encoding="utf-8")
    return path


def test_the_file_reads_back_as_it_was(tmp_path: Path) -> None:
    site = overlay("ab" * 32)

    again, digest = read_toml(write_overlay(tmp_path, site), "site calibration", SiteCalibration)

    assert again == site
    assert len(digest) == 64


def test_clusters_get_the_sites_certainty_and_nothing_else_changes(tmp_path: Path) -> None:
    path = models.one_graph(tmp_path)
    base = load_manifest(path)

    site = load_manifest(path, write_overlay(tmp_path, overlay(base.digest)))

    minimum = site.find_operating_point(1).minimum_certainty
    assert minimum == {MarkClass.CALCIFICATION: 50.0, MarkClass.CLUSTER: 61.5}
    assert site.find_operating_point(1).stated_on == "12 exams of this site"
    assert site.find_operating_point(1).false_marks_per_image == 0.3333
    assert site.find_operating_point(4) == base.find_operating_point(4)
    assert site.find_operating_point() is site.find_operating_point(1)
    assert site.digest != base.digest
    assert base.site is None


def test_another_calibration_is_another_model(tmp_path: Path) -> None:
    path = models.one_graph(tmp_path)
    base = load_manifest(path)

    digests = {
        load_manifest(path, write_overlay(tmp_path, overlay(base.digest, minimum=minimum))).digest
        for minimum in (50.0, 61.5)
    }

    assert len(digests) == 2


def test_a_calibration_of_another_model_is_refused_and_both_are_named(tmp_path: Path) -> None:
    path = models.one_graph(tmp_path)
    site = write_overlay(tmp_path, overlay("cd" * 32))

    with pytest.raises(ModelError) as caught:
        load_manifest(path, site)

    for named in (str(path), str(site), "cd" * 32, load_manifest(path).digest, "calibrate anew"):
        assert named in str(caught.value)


def test_an_operating_point_that_the_model_does_not_have_is_refused(tmp_path: Path) -> None:
    path = models.one_graph(tmp_path)
    site = write_overlay(tmp_path, overlay(load_manifest(path).digest, number=3))

    with pytest.raises(ModelError, match="no operating point 3; there are 1, 4"):
        load_manifest(path, site)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema_version = 1", "schema_version = 2", r"site\.toml: schema_version"),
        ("exams = 12", "exams = 0", r"site\.toml: exams"),
        ("exams = 12", "exams = ", r"site\.toml is not valid TOML"),
        ("minimum_certainty = 61.5", "minimum_certainty = 161.5", r"operating_points\.0\.minimum"),
        ("women = 12", "ladies = 12", r"ladies: Extra"),
    ],
)
def test_a_fault_is_reported_with_file_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = write_overlay(tmp_path, overlay("ab" * 32))
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(ModelError, match=message):
        read_toml(path, "site calibration", SiteCalibration)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere\.toml: No such file"):
        load_manifest(models.one_graph(tmp_path), tmp_path / "nowhere.toml")
