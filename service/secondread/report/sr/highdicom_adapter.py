"""Between highdicom and our headers: what it reads of an image, and what becomes of its objects.

highdicom copies patient and study from the images that it gets, and fails where a site's image
lacks an attribute or bends its meaning. It therefore gets a stand-in with the few attributes that
its content needs, and the header of the finished object is ours.
"""

from collections.abc import Iterable
from copy import deepcopy

from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.report.sr.header import TYPE_2_ATTRIBUTES


def build_stand_in(mammogram: Mammogram, source: Dataset, copied: Iterable[str] = ()) -> Dataset:
    """Return what highdicom needs of an image.

    Parameters
    ----------
    mammogram
        The image.
    source
        Its header.
    copied
        Keywords of further attributes to take over where the header has a value.
    """
    ds = Dataset()
    for keyword in TYPE_2_ATTRIBUTES:
        setattr(ds, keyword, None)
    ds.SOPClassUID = mammogram.sop_class_uid
    ds.SOPInstanceUID = mammogram.sop_instance_uid
    ds.StudyInstanceUID = mammogram.study_uid
    ds.SeriesInstanceUID = mammogram.series_uid
    ds.Modality = mammogram.modality or "MG"
    ds.Rows, ds.Columns = mammogram.rows, mammogram.columns
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = mammogram.photometric_interpretation
    if mammogram.orientation is not None:
        ds.PatientOrientation = list(mammogram.orientation)
    spacing = mammogram.spacing
    if spacing is not None and mammogram.is_spacing_at_detector:
        ds.ImagerPixelSpacing = [spacing.between_rows, spacing.between_columns]
    for keyword in copied:
        if source.get(keyword) not in (None, ""):
            ds[keyword] = deepcopy(source[keyword])
    return ds


def replace_header(made: Dataset, header: Dataset) -> Dataset:
    """Return an object of highdicom with our header in the place of its own.

    Parameters
    ----------
    made
        What highdicom made; its content is kept.
    header
        What `header.build_header` returns.
    """
    ds = Dataset()
    ds.update(made)
    # It counts itself as equipment that contributed, with the moment at which it did.
    ds.pop("ContributingEquipmentSequence", None)
    ds.update(header)
    ds.file_meta = header.file_meta
    return ds
