"""The model's manifest: which graphs a detector has, what goes in, and what its numbers mean.

A manifest is a TOML file beside its graphs. Its schema is versioned and complete: a model of one
graph and a model of several load through the same values. Everything that the node reports about
a detector (name, version, operating points, whether certainty is calibrated) comes from here.
"""

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from secondread.codes import MarkClass, Morphology
from secondread.detect.calibration import Calibration
from secondread.detect.groups import SHARE_FEATURES, GroupTables, MorphologyName
from secondread.detect.likeness import Likeness
from secondread.detect.operating_points import ManifestOperatingPoint
from secondread.detect.site_overlay import SiteCalibration
from secondread.detect.toml_table import Hex256, TomlTable, read_toml
from secondread.errors import ModelError

_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
"""A name without a folder: a manifest cannot point outside its own folder."""


class GraphRole(StrEnum):
    """What a graph does."""

    DENSE = "dense"
    """Whole strips to score maps."""
    RESCORE = "rescore"
    """A patch around each candidate to scores that replace the dense ones."""
    NEIGHBOURS = "neighbours"
    """The other candidates around one, to scores that replace `rescore`'s; see
    `neighbours.compute_features`."""
    DESCRIBE = "describe"
    """A patch around each mark of a calcification to shares of its types."""


class InputNormalisation(TomlTable):
    """`[input]`: how stored values become the graphs' input; see `normalisation.normalise`."""

    spacing_mm: float = Field(gt=0, le=0.2)
    """Pixel spacing the model was made for; finer images are averaged down to it."""
    normaliser: Literal["noise-equalised.v1", "noise-equalised.v2"]
    """Name and version of the normalisation. In version 2 the local mean leaves out what is
    brighter than `clip_high`: clips and coarse calcifications."""
    local_mean_sigma_px: float = Field(gt=0)
    """Standard deviation of the Gaussian whose local mean is subtracted."""
    clip_low: float
    """Lowest value after normalisation, in units of the local noise."""
    clip_high: float
    """Highest value after normalisation, in units of the local noise."""

    @model_validator(mode="after")
    def _clip_is_a_range(self) -> Self:
        if self.clip_low >= self.clip_high:
            raise ValueError("clip_low is below clip_high")
        return self


class Graph(TomlTable):
    """`[[graphs]]`: one ONNX file."""

    role: GraphRole
    file: _FileName
    """File name, beside the manifest."""
    sha256: Hex256
    """Digest of the file, checked before it is loaded."""
    input: str
    """Name of the input tensor, float32."""
    scores: str
    """Name of the output tensor with one channel a head, 0-1, float32."""
    diameter: str | None = None
    """Name of the output tensor with the diameter in input pixels, if the graph gives one."""
    axes: Literal["NCHW", "NF"]
    """Order of the input's axes: NF for `neighbours`, which has candidates and features, and NCHW
    for the others; N is 1 for `dense` and the number of patches otherwise."""
    heads: tuple[MarkClass, ...] = ()
    """What the channels of `scores` stand for, in their order; empty for `describe`."""
    types: tuple[MorphologyName, ...] = ()
    """The same for `describe`: names of `codes.Morphology` in lower case."""
    stride: int = Field(default=1, ge=1)
    """Input pixels per output pixel of a `dense` graph."""
    multiple_of: int = Field(default=1, ge=1)
    """Height and width of the input are multiples of this."""
    halo_px: int = Field(default=0, ge=0)
    """How far around it an output pixel of a `dense` graph sees, in input pixels."""
    patch_px: int = Field(default=0, ge=3)
    """Height and width of the patch of a `rescore` or `describe` graph; 0 for the others."""
    features: Literal["spots.v1"] | None = None
    """Name and version of a `neighbours` graph's input, see `neighbours.compute_features`."""

    @model_validator(mode="after")
    def _shape_fits_role(self) -> Self:
        if len(set(self.channels)) != len(self.channels) or not self.channels:
            raise ValueError("heads, or types, are named, once each")
        if bool(self.types) != (self.role is GraphRole.DESCRIBE):
            raise ValueError("types are given for describe graphs, heads for the others")
        if bool(self.patch_px) != (self.role in {GraphRole.RESCORE, GraphRole.DESCRIBE}):
            raise ValueError("patch_px is given for rescore and describe graphs, and only there")
        sees_spots = self.role is GraphRole.NEIGHBOURS
        if (self.axes == "NF") != sees_spots or (self.features is not None) != sees_spots:
            raise ValueError("axes are NF, and features named, for neighbours graphs alone")
        if self.multiple_of % self.stride:
            raise ValueError("multiple_of is a multiple of stride")
        return self

    @property
    def channels(self) -> tuple[MarkClass | Morphology, ...]:
        """What the channels of `scores` stand for, whatever the graph's role."""
        return self.heads or self.types


class DetectionLimits(TomlTable):
    """`[limits]`: what the detector gives at most."""

    maximum_candidates: int = Field(ge=1, le=20000)
    """Marks per image; the highest scores are kept."""
    minimum_score: float = Field(ge=0, le=1)
    """Marks below this score are dropped."""
    minimum_seen: float | None = Field(default=None, ge=0, le=1)
    """Spots that the dense graph scores lower are not rescored; None stands for `minimum_score`.
    The two graphs' scores are on scales of their own."""
    maximum_marks_per_cm2: float = Field(gt=0)
    """More marks at the default operating point than this refuse the image as noise."""

    @property
    def minimum_dense_score(self) -> float:
        """Lowest score of the dense graph that makes a candidate."""
        return self.minimum_score if self.minimum_seen is None else self.minimum_seen


class _ManifestFile(TomlTable):
    """The file's content."""

    schema_version: Literal[1]
    name: str
    """Name of the model, ASCII; reports carry it."""
    version: str
    """Version of the model, ASCII."""
    licence: str
    """SPDX identifier of the licence of the weights."""
    training_commit: str
    """Commit of the training code, or a reason where it has none."""
    input: InputNormalisation
    graphs: tuple[Graph, ...] = Field(min_length=1)
    calibration: Calibration
    operating_points: tuple[ManifestOperatingPoint, ...] = Field(min_length=1)
    limits: DetectionLimits
    likeness: Likeness | None = None
    """The images that the model was made for; without it, no image is flagged as unlike them."""
    groups: GroupTables = GroupTables()
    """What the model knows about groups; rules decide what it does not know."""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        roles = [graph.role for graph in self.graphs]
        if roles.count(GraphRole.DENSE) != 1:
            raise ValueError("graphs: exactly one has the role dense")
        if len(set(roles)) != len(roles):
            raise ValueError("graphs: a role is given once")
        neighbours = self.find_graph(GraphRole.NEIGHBOURS)
        rescore = self.find_graph(GraphRole.RESCORE)
        if neighbours and (rescore is None or rescore.heads != neighbours.heads):
            raise ValueError("graphs: neighbours needs a rescore graph with the same heads")
        if neighbours and MarkClass.CALCIFICATION not in neighbours.heads:
            raise ValueError("graphs: neighbours needs the head calcification")
        numbers = [point.number for point in self.operating_points]
        if len(set(numbers)) != len(numbers):
            raise ValueError("operating_points: a number is given once")
        if sum(point.default for point in self.operating_points) != 1:
            raise ValueError("operating_points: exactly one is the default")
        return self

    def find_graph(self, role: GraphRole) -> Graph | None:
        """Return the graph of a role, or None if the model has none."""
        return next((graph for graph in self.graphs if graph.role is role), None)

    @model_validator(mode="after")
    def _graphs_give_the_types(self) -> Self:
        table = self.groups.types
        types = {kind.name.lower() for graph in self.graphs for kind in graph.types}
        for name in table.features if table is not None else ():
            if name in SHARE_FEATURES and name.partition("_")[2] not in types:
                raise ValueError(f"groups.types: no graph gives the type of the feature {name!r}")
        return self


class Manifest(_ManifestFile):
    """A manifest that was read, and whose graphs have the digests that it states."""

    digest: Hex256
    """SHA-256 of the manifest file; as it holds those of the graphs, it names the whole model.
    With a site's calibration, that of both digests."""
    folder: Path
    """The folder of the manifest and its graphs."""
    site: SiteCalibration | None = None
    """The site's calibration; the operating points have its minimum certainties."""

    @property
    def calibrated(self) -> bool:
        """Whether certainty is calibrated on data."""
        return self.calibration.calibrated

    @property
    def dense(self) -> Graph:
        """The graph that turns strips into score maps."""
        return next(graph for graph in self.graphs if graph.role is GraphRole.DENSE)

    def calibrate(self, mark_class: MarkClass, score: float) -> float:
        """Return the certainty, 0-100, of a score of a class."""
        return self.calibration.calibrate(mark_class, score)

    def find_operating_point(self, number: int = 0) -> ManifestOperatingPoint:
        """Return the operating point with this number; 0 gives the default.

        Raises
        ------
        ModelError
            The manifest has no such operating point.
        """
        for point in self.operating_points:
            if point.default if number == 0 else point.number == number:
                return point
        numbers = ", ".join(str(point.number) for point in self.operating_points)
        raise ModelError(f"{self.name}: no operating point {number}; there are {numbers}")

    def read_graph(self, graph: Graph) -> bytes:
        """Return the content of a graph's file, which has the digest that the manifest states.

        Raises
        ------
        ModelError
            The file cannot be read, or has another digest.
        """
        path = self.folder / graph.file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}") from error
        digest = hashlib.sha256(content).hexdigest()
        if digest != graph.sha256:
            raise ModelError(
                f"{path}: its SHA-256 is {digest}, the manifest's key graphs.sha256 says "
                f"{graph.sha256}"
            )
        return content


def locate_default_manifest() -> Path:
    """Return the manifest that came with the package.

    The wheel carries it inside the package. An editable install has no copy there, so the one
    fallback is the checkout that this source file is part of.
    """
    installed = Path(__file__).parent / "model" / "manifest.toml"
    if installed.exists():
        return installed
    return Path(__file__).resolve().parents[3] / "models" / "calcification" / "manifest.toml"


def load_manifest(path: Path | None = None, site: Path | None = None) -> Manifest:
    """Read a manifest and check the digests of all its graphs.

    Parameters
    ----------
    path
        The file; None takes the model that came with the package.
    site
        File of a site's calibration, made for this very manifest.

    Raises
    ------
    ModelError
        A file cannot be read, is not TOML, a key is missing, unknown or wrong, a graph is not the
        one that the manifest names, or the site's calibration is of another model. The message
        names the file and the key.
    """
    path = locate_default_manifest() if path is None else path
    document, digest = read_toml(path, "model manifest", _ManifestFile)
    manifest = Manifest(**dict(document), digest=digest, folder=path.resolve().parent)
    for graph in manifest.graphs:
        manifest.read_graph(graph)
    return manifest if site is None else _overlay_site(manifest, path, site)


def _overlay_site(manifest: Manifest, path: Path, site_path: Path) -> Manifest:
    """Return the manifest with a site's minimum certainties for clusters."""
    site, site_digest = read_toml(site_path, "site calibration", SiteCalibration)
    if site.base_digest != manifest.digest:
        raise ModelError(
            f"site calibration {site_path} is for {site.model} (manifest {site.base_digest}), and "
            f"{path} is {manifest.name} {manifest.version} (manifest {manifest.digest}): calibrate "
            f"anew"
        )
    points = {point.number: point for point in manifest.operating_points}
    for own in site.operating_points:
        point = manifest.find_operating_point(own.number)
        minimum = {**point.minimum_certainty, MarkClass.CLUSTER: own.minimum_certainty}
        points[own.number] = point.model_copy(
            update={
                "minimum_certainty": minimum,
                "false_marks_per_image": own.left_out_per_view,
                "stated_on": f"{site.exams} exams of this site",
                # The model's own figures do not hold for another certainty.
                "costs_on": "",
                "costs": (),
            }
        )
    digest = hashlib.sha256((manifest.digest + site_digest).encode()).hexdigest()
    return manifest.model_copy(
        update={"operating_points": tuple(points.values()), "site": site, "digest": digest}
    )
