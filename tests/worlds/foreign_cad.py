"""CAD SRs as a maker might write them who leaves out whatever may be left out."""

from pydicom.dataset import Dataset


def item(
    relation: str, value_type: str, name: tuple[str, str, str] | None, *children: Dataset
) -> Dataset:
    ds = Dataset()
    ds.RelationshipType, ds.ValueType = relation, value_type
    if name is not None:
        ds.ConceptNameCodeSequence = [code(*name)]
    if children:
        ds.ContentSequence = list(children)
    return ds


def code(value: str, scheme: str, meaning: str) -> Dataset:
    ds = Dataset()
    ds.CodeValue, ds.CodingSchemeDesignator, ds.CodeMeaning = value, scheme, meaning
    return ds


def image_item(relation: str, uid: str = "1.5.1") -> Dataset:
    ds = item(relation, "IMAGE", None)
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    reference.ReferencedSOPInstanceUID = uid
    ds.ReferencedSOPSequence = [reference]
    return ds


def shape(name: tuple[str, str, str], kind: str, *numbers: float) -> Dataset:
    ds = item("HAS PROPERTIES", "SCOORD", name, image_item("SELECTED FROM"))
    ds.GraphicType, ds.GraphicData = kind, list(numbers)
    return ds


CENTER, OUTLINE = ("111010", "DCM", "Center"), ("111041", "DCM", "Outline")


def mark(kind: tuple[str, str, str], *children: Dataset) -> Dataset:
    ds = item("CONTAINS", "CODE", ("111059", "DCM", "Single Image Finding"), *children)
    ds.ConceptCodeSequence = [code(*kind)]
    return ds


def foreign(*marks: Dataset) -> Dataset:
    """A CAD SR as a maker might write it who leaves out whatever may be left out."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.50", "1.5.9"
    ds.StudyInstanceUID, ds.Manufacturer = "1.5", "Acme"
    ds.ContentDate = "20240605"
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = [code("111036", "DCM", "Mammography CAD Report")]
    impression = item("INFERRED FROM", "CONTAINER", ("111034", "DCM", "Impression"), *marks)
    summary = item("CONTAINS", "CODE", ("111017", "DCM", "Summary"), impression)
    summary.ConceptCodeSequence = [code("111242", "DCM", "with findings")]
    view = item("HAS ACQ CONTEXT", "CODE", ("111031", "DCM", "Image View"))
    view.ConceptCodeSequence = [code("R-10242", "SNM3", "cranio-caudal")]
    side = item("HAS ACQ CONTEXT", "CODE", ("111027", "DCM", "Image Laterality"))
    side.ConceptCodeSequence = [code("T-04030", "SRT", "Left breast")]
    entry = image_item("CONTAINS")
    entry.ContentSequence = [view, side]
    library = item("CONTAINS", "CONTAINER", ("111028", "DCM", "Image Library"), entry)
    ds.ContentSequence = [library, summary]
    return ds


MASS = ("F-01796", "SRT", "Mammography breast density")
ODD = ("X1", "99ACME", "Spiculated blob")
