"""The manifest: one graph and several, digests, calibration, operating points, clear errors."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secondread.codes import MarkClass, Morphology
from secondread.detect import manifest as module
from secondread.detect.calibration import Calibration
from secondread.detect.manifest import GraphRole, load_manifest
from secondread.errors import ModelError
from tests.unit.detect import models


def test_the_shipped_manifest_loads_and_its_graph_has_the_stated_digest() -> None:
    shipped = load_manifest()

    assert {graph.role for graph in shipped.graphs} == set(GraphRole)
    assert {MarkClass.CALCIFICATION, MarkClass.METAL} < set(shipped.dense.heads)
    assert shipped.find_operating_point().number == 1
    assert shipped.calibrated
    assert shipped.likeness is not None
    assert len(shipped.digest) == 64


def test_the_shipped_model_ranks_its_surest_marks_and_states_what_its_points_cost() -> None:
    shipped = load_manifest()

    surest = [shipped.calibrate(MarkClass.CLUSTER, score) for score in (0.95, 0.99, 0.999)]
    assert 95 < surest[0] < surest[1] < surest[2] < 100
    assert all(point.costs for point in shipped.operating_points)
    (four_views,) = [c for c in shipped.find_operating_point().costs if c.exams == "four views"]
    assert four_views.unmarked is not None
    assert four_views.unmarked >= 0.8


def test_without_a_copy_in_the_package_the_checkout_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "service" / "secondread" / "detect" / "manifest.py"
    monkeypatch.setattr(module, "__file__", str(source))
    assert (
        module.locate_default_manifest() == tmp_path / "models" / "calcification" / "manifest.toml"
    )

    copy = source.parent / "model" / "manifest.toml"
    copy.parent.mkdir(parents=True)
    copy.touch()
    assert module.locate_default_manifest() == copy


def test_models_of_one_and_of_two_graphs_load(tmp_path: Path) -> None:
    single = load_manifest(models.one_graph(tmp_path))
    assert [graph.role for graph in single.graphs] == [GraphRole.DENSE]
    assert single.find_graph(GraphRole.RESCORE) is None

    three = load_manifest(models.three_graphs(tmp_path))
    assert [graph.role for graph in three.graphs] == [
        GraphRole.DENSE,
        GraphRole.RESCORE,
        GraphRole.NEIGHBOURS,
    ]
    two = load_manifest(models.two_graphs(tmp_path))
    assert [graph.role for graph in two.graphs] == [GraphRole.DENSE, GraphRole.RESCORE]
    rescore = two.find_graph(GraphRole.RESCORE)
    assert rescore is not None
    assert rescore.patch_px == 9
    assert single.digest != two.digest


def test_a_graph_with_another_digest_is_refused(tmp_path: Path) -> None:
    path = models.one_graph(tmp_path)
    (tmp_path / "dense.onnx").write_bytes(b"something else")

    with pytest.raises(ModelError, match=r"dense\.onnx: its SHA-256 is .*graphs\.sha256"):
        load_manifest(path)


def test_a_missing_graph_or_manifest_is_named(tmp_path: Path) -> None:
    path = models.one_graph(tmp_path)
    (tmp_path / "dense.onnx").unlink()

    with pytest.raises(ModelError, match=r"dense\.onnx: No such file"):
        load_manifest(path)
    with pytest.raises(ModelError, match=r"nowhere\.toml: No such file"):
        load_manifest(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("schema_version = 1", "schema_version = 2", "schema_version"),
        ('name = "dummy"', "", "name: Field required"),
        ('name = "dummy"', 'name = "dummy"\nflavour = "x"', "flavour: Extra"),
        ("spacing_mm = 0.07", "spacing_mm = -1", "input.spacing_mm"),
        ("noise-equalised.v1", "z-score", "input.normaliser"),
        ("clip_low = -10.0", "clip_low = 40.0", "input: .*clip_low is below"),
        ('heads = ["calcification"]', 'heads = ["cat"]', "graphs.0.heads.0"),
        ('heads = ["calcification"]', 'heads = ["metal", "metal"]', "graphs.0: .*once each"),
        ('file = "dense.onnx"', 'file = "../dense.onnx"', "graphs.0.file"),
        ('role = "dense"', 'role = "rescore"', "graphs.0: .*patch_px"),
        ('role = "dense"', 'role = "rescore"\npatch_px = 9', "exactly one has the role dense"),
        ('role = "dense"', 'role = "describe"\npatch_px = 9', "graphs.0: .*types are given"),
        ('heads = ["calcification"]', 'types = ["freckle"]', "graphs.0.types.0: .*not a type"),
        ("stride = 1", "stride = 3", "graphs.0: .*multiple of stride"),
        ('axes = "NCHW"', 'axes = "NF"', "graphs.0: .*axes are NF"),
        ("[0.5, 20.0]", "[0.5, 120.0]", "calibration.points.1.1"),
        ("[0.5, 20.0]", "[0.0, 20.0]", "calibration: .*scores rise"),
        ("number = 4", "number = 1", "operating_points: a number"),
        ("default = true", "default = false", "exactly one is the default"),
        ("maximum_candidates = 50", "maximum_candidates = 0", "limits.maximum_candidates"),
    ],
    ids=lambda value: value[:24],
)
def test_a_fault_is_reported_with_file_and_key(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    path = models.one_graph(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(ModelError, match=f"manifest.toml: .*{key}"):
        load_manifest(path)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('role = "rescore"', 'role = "describe"', "graphs.1: .*types are given"),
        (
            'heads = ["calcification", "vascular"]\npatch_px = 9',
            'heads = ["vascular", "calcification"]\npatch_px = 9',
            "neighbours needs a rescore graph with the same heads",
        ),
        (
            'heads = ["calcification", "vascular"]',
            'heads = ["metal", "vascular"]',
            "neighbours needs the head calcification",
        ),
    ],
)
def test_neighbours_fit_the_rescoring_graph(tmp_path: Path, old: str, new: str, key: str) -> None:
    path = models.three_graphs(tmp_path)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(ModelError, match=f"manifest.toml: .*{key}"):
        load_manifest(path)


def test_text_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text("name = ", encoding="utf-8")

    with pytest.raises(ModelError, match=r"manifest\.toml is not valid TOML"):
        load_manifest(path)


def test_certainty_is_linear_between_the_points_of_the_table(tmp_path: Path) -> None:
    manifest = load_manifest(models.one_graph(tmp_path))

    certainties = [
        manifest.calibrate(MarkClass.CALCIFICATION, score) for score in (0, 0.25, 0.5, 0.75, 1)
    ]

    assert certainties == pytest.approx([0, 10, 20, 60, 100])


@given(st.floats(-1, 2), st.floats(-1, 2))
def test_certainty_never_falls_and_stays_between_0_and_100(a: float, b: float) -> None:
    calibration = Calibration(calibrated=True, on="x", points=((0.1, 5.0), (0.6, 5.0), (0.9, 80.0)))
    low, high = sorted((a, b))

    lower, higher = (calibration.calibrate(MarkClass.METAL, score) for score in (low, high))
    assert 5 <= lower <= higher <= 80


def test_operating_points_are_found_by_number_and_zero_is_the_default(tmp_path: Path) -> None:
    manifest = load_manifest(models.one_graph(tmp_path))

    assert manifest.find_operating_point().name == "standard"
    assert manifest.find_operating_point(4).name == "sensitive"
    with pytest.raises(ModelError, match="no operating point 2; there are 1, 4"):
        manifest.find_operating_point(2)


def test_a_class_may_have_a_table_of_its_own() -> None:
    calibration = Calibration(
        calibrated=True,
        on="a test",
        points=((0.0, 0.0), (1.0, 100.0)),
        by_class={MarkClass.CLUSTER: ((0.0, 10.0), (1.0, 60.0))},
    )
    assert calibration.calibrate(MarkClass.CLUSTER, 0.5) == 35.0
    assert calibration.calibrate(MarkClass.METAL, 0.5) == 50.0


_TABLE = """
[groups.types]
types = ["round", "amorphous"]
features = ["diameter", "{feature}"]
means = [0.0, 0.0]
scales = [1.0, 1.0]
weights = [[1.0, 0.0], [0.0, 1.0]]
constants = [0.0, 0.0]
fitted_on = "nothing"
"""


def test_a_manifest_may_know_something_of_groups(tmp_path: Path) -> None:
    path = models.one_graph(tmp_path)
    assert load_manifest(path).groups.types is None

    path.write_text(path.read_text("utf-8") + _TABLE.format(feature="contrast"), "utf-8")
    table = load_manifest(path).groups.types
    assert table is not None
    assert table.labels == (Morphology.ROUND, Morphology.AMORPHOUS)


@pytest.mark.parametrize(
    ("feature", "fault"),
    [
        ("girth", r"groups\.types\.features\.1: .*'girth' is not a feature of groups"),
        ("share_round", "no graph gives the type of the feature 'share_round'"),
    ],
)
def test_tables_of_groups_that_the_node_or_the_graphs_do_not_know_are_refused(
    tmp_path: Path, feature: str, fault: str
) -> None:
    path = models.one_graph(tmp_path)
    path.write_text(path.read_text("utf-8") + _TABLE.format(feature=feature), "utf-8")

    with pytest.raises(ModelError, match=fault):
        load_manifest(path)
