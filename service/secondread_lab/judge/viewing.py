"""Reading of one test image as the node reads it: first the detector, then the findings."""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.assemble.scope import ImageSelection
from secondread.codes import MarkClass, View
from secondread.detect.detector import Detector
from secondread.detect.manifest import load_manifest
from secondread.detect.marks import Detection
from secondread.detect.operating_points import ManifestOperatingPoint
from secondread.detect.pixels import Display
from secondread.findings.describe import describe_findings
from secondread.findings.finding import Finding, ImageReading
from secondread.geometry import SpacingMm
from secondread.reading import Reader, StudyContext, read_study
from secondread.settings import FindingsSettings
from secondread_lab.judge.crops import cut_crops
from secondread_lab.judge.image_sources import TestImage
from secondread_lab.judge.outcomes import score_image
from secondread_lab.judge.records import FoundCluster, ImageFacts, ViewRecord, make_pseudonym

OpenReader = Callable[[FindingsSettings], Reader]
"""Opens the calibration and rule of an operating point, as the node does."""


@dataclass(frozen=True, slots=True)
class ImageReader:
    """A loaded model that reads test images."""

    detector: Detector
    readers: Mapping[int, Reader]
    """By number of the operating point."""
    crops: Path
    """Folder for crops of the images."""

    @classmethod
    def from_manifest(
        cls, manifest: Path | None, open_reader: OpenReader, crops: Path
    ) -> "ImageReader":
        """Load a model.

        Raises
        ------
        ModelError
            The manifest or one of its graphs is wrong.
        """
        model = load_manifest(manifest)
        return cls(Detector(model), open_readers(open_reader, model.operating_points), crops)

    def read_image(self, image: TestImage) -> ViewRecord:
        """Read one image.

        Raises
        ------
        InputError
            The header cannot be read.
        OSError
            A file cannot be read or written.
        """
        if isinstance(image.content, Path):
            header = pydicom.dcmread(image.content, stop_before_pixels=True)
            return self._record(image, header, *self.detector.detect(image.content))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.dcm"
            image.content.save_as(path, enforce_file_format=True)
            return self._record(image, image.content, *self.detector.detect(path))

    def _record(
        self, image: TestImage, header: Dataset, detection: Detection, display: Display | None
    ) -> ViewRecord:
        mammogram = Mammogram.from_dataset(header)
        record = ViewRecord(
            key=image.key,
            image=_gather_facts(image, mammogram),
            detection=detection,
            clusters=find_clusters(mammogram, detection, self.readers),
            truth=image.rows,
            differs=image.differs,
        )
        if display is None:
            return record
        return cut_crops(score_image(record), display, self.crops)


def open_readers(
    open_reader: OpenReader, points: Iterable[ManifestOperatingPoint]
) -> dict[int, Reader]:
    """Open every operating point of a model."""
    return {p.number: open_reader(FindingsSettings(operating_point=p.number)) for p in points}


def find_clusters(
    mammogram: Mammogram, detection: Detection, readers: Mapping[int, Reader]
) -> tuple[FoundCluster, ...]:
    """Return all candidate clusters, each with the operating points that show it."""
    return _join_points(
        {n: _read_with(mammogram, detection, reader).findings for n, reader in readers.items()}
    )


def _join_points(found: Mapping[int, Sequence[Finding]]) -> tuple[FoundCluster, ...]:
    """Return the clusters that the operating points agree on, with those that show each."""
    shown_centres = {
        number: {finding.center for finding in findings if finding.shown}
        for number, findings in found.items()
    }
    return tuple(
        FoundCluster.from_finding(
            finding, (n for n in shown_centres if finding.center in shown_centres[n])
        )
        for finding in sorted(
            next(iter(found.values())), key=lambda f: (-f.certainty, f.center.row)
        )
        if finding.mark_class is MarkClass.CLUSTER
    )


def group_anew(record: ViewRecord, readers: Mapping[int, Reader]) -> ViewRecord:
    """Return a record whose marks are grouped and described anew.

    Its crops are left out where its clusters are not the same any more.
    """
    if not record.detection.status.was_read:
        return record
    image, marks = record.image, record.detection.marks
    size = (image.rows, image.columns)
    found = {
        number: describe_findings(
            "V", marks, image.spacing_mm, size, reader.calibrate, reader.point, reader.groups
        )
        for number, reader in readers.items()
    }
    clusters = _join_points(found)
    is_same = clusters == record.clusters
    return replace(record, clusters=clusters, crops=record.crops if is_same else ())


def _read_with(mammogram: Mammogram, detection: Detection, reader: Reader) -> ImageReading:
    study = read_study(
        mammogram.study_uid,
        ImageSelection(to_read=(mammogram,), left_out=()),
        {mammogram.sop_instance_uid: detection},
        reader,
        StudyContext(revision=1, cause="evaluation"),
    )
    return study.images[0]


def _gather_facts(image: TestImage, mammogram: Mammogram) -> ImageFacts:
    spacing = mammogram.spacing or SpacingMm(0.1, 0.1)  # as `reading` takes it
    families = [row.vendor_family for row in image.rows if row.vendor_family]
    densities = [row.density for row in image.rows if row.density]
    return ImageFacts(
        sop_instance_uid=mammogram.sop_instance_uid,
        study_uid=mammogram.study_uid,
        patient=make_pseudonym(mammogram),
        laterality=mammogram.laterality.letter if mammogram.laterality else "",
        view=_name_view(mammogram.view),
        intent=mammogram.intent.value if mammogram.intent else "",
        family=families[0] if families else mammogram.manufacturer,
        density=densities[0] if densities else "",
        rows=mammogram.rows,
        columns=mammogram.columns,
        spacing=(spacing.between_rows, spacing.between_columns),
        subset=image.subset,
    )


def _name_view(view: View | None) -> str:
    if view is None:
        return ""
    if view.is_cc_like:
        return "CC"
    return "MLO" if view.is_mlo_like else view.name
