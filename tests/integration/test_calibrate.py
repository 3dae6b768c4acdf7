"""`secondread calibrate` over a folder of small exams, and the node with what it wrote."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from secondread.app.reader import open_reader
from secondread.cli.commands import app
from secondread.detect.manifest import load_manifest
from secondread.errors import ModelError, SettingsError
from secondread.settings import DetectSettings, FindingsSettings
from tests.unit.detect import models
from tests.unit.detect.pictures import breast_image, dataset, file, with_dots

CLUSTER = [(300, 120), (320, 150), (280, 160), (305, 180)]
FALSE = {0: 235, 1: 300, 2: 345, 3: 400, 4: 480}
"""Height of the dots that make a false cluster, by exam; the others have none."""


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve exams of one view each: five with a false cluster, one that cannot be read."""
    folder = tmp_path_factory.mktemp("exams")
    for number in range(12):
        image = breast_image(800, 700, seed=number)
        if number in FALSE:
            image = with_dots(image, CLUSTER, height=FALSE[number])
        ds = dataset(
            image,
            ImagerPixelSpacing=[0.1, 0.1],
            StudyInstanceUID=f"1.2.{number}",
            PatientID=f"P{number}",
            **({"LossyImageCompression": "01"} if number == 11 else {}),
        )
        file(folder / f"{number:02d}.dcm", ds)
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.one_graph(tmp_path, threshold=10.0)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


def test_a_folder_of_exams_sets_the_operating_point_that_the_node_then_has(
    exams: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "site.toml"

    code, said = run("calibrate", exams, "--out", out, "--model", model)

    assert code == 0
    site = tomllib.loads(out.read_text(encoding="utf-8"))
    assert site["base_digest"] == load_manifest(model).digest
    assert (site["exams"], site["women"], site["views"], site["views_not_read"]) == (11, 11, 11, 1)
    (point,) = site["operating_points"]
    assert point["clusters"] == 3
    assert point["per_view"] == pytest.approx(3 / 11, abs=1e-3)
    assert "1 not read (1 lossy-compression)" in said
    assert "11.dcm" in said
    assert "11 exams are few" in said
    assert "how sure that is: the rate lies between 0.06 and 0.80 a view" in said

    settings = DetectSettings(manifest=model, site_calibration=out)
    reader = open_reader(settings, FindingsSettings())
    assert reader.point.minimum_certainty == point["minimum_certainty"]
    assert reader.model.site_exams == 11
    assert reader.model.digest != load_manifest(model).digest

    code, _ = run(
        "read", exams / "03.dcm", exams / "00.dcm", "--out", tmp_path / "read",
        "--manifest", model, "--site-calibration", out,
    )  # fmt: skip
    document = json.loads((tmp_path / "read" / "findings.json").read_text(encoding="utf-8"))
    shown = {
        Path(image["path"]).name: sum(finding["shown"] for finding in image["findings"])
        for image in document["images"]
    }
    assert (code, shown) == (0, {"03.dcm": 1, "00.dcm": 0})
    assert document["model"]["site_exams"] == 11


def test_another_operating_point_is_not_called_site_calibrated(
    exams: Path, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "site.toml"
    run("calibrate", exams, "--out", out, "--model", model, "--operating-point", 4)

    settings = DetectSettings(manifest=model, site_calibration=out)

    assert open_reader(settings, FindingsSettings()).model.site_exams is None
    assert open_reader(settings, FindingsSettings(operating_point=4)).model.site_exams == 11
    with pytest.raises(ModelError, match="calibrate anew"):
        open_reader(DetectSettings(site_calibration=out), FindingsSettings())


def test_too_few_exams_write_nothing_unless_forced(
    exams: Path, model: Path, tmp_path: Path
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for number in (0, 3, 7):
        (few / f"{number:02d}.dcm").write_bytes((exams / f"{number:02d}.dcm").read_bytes())
    out = tmp_path / "site.toml"

    with pytest.raises(SettingsError, match="3 exams could be read, and fewer than 10"):
        run("calibrate", few, "--out", out, "--model", model)
    assert not out.exists()

    code, said = run(
        "calibrate", few, "--out", out, "--model", model, "--force",
        "--false-clusters-per-view", 1,
    )  # fmt: skip
    assert code == 0
    assert out.exists()
    assert "please look whether these are free of calcifications" in said
    assert "03.dcm: a cluster of certainty" in said
    assert "00.dcm: a cluster" not in said
