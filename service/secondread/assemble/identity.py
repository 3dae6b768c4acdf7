"""Which patient images belong to, also where a header is partly broken."""

from collections.abc import Iterable
from copy import deepcopy

from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.errors import HeaderError

_MOST_FAULTS = 8


def has_several_patients(mammograms: Iterable[Mammogram]) -> bool:
    """Whether the images are of more than one patient.

    Two IDs are two patients, and so are two issuers. Where only some images name an issuer, the
    others are taken to lack it.
    """
    patients = {mammogram.patient for mammogram in mammograms}
    ids = {patient.patient_id for patient in patients}
    issuers = {patient.issuer for patient in patients if patient.issuer}
    return len(ids) > 1 or len(issuers) > 1


def drop_invalid_attributes(header: Dataset) -> Dataset | None:
    """Return a header without its invalid attributes; None where it identifies no instance.

    For results about images that could not be read, which need to name the patient.
    """
    remaining = deepcopy(header)
    for _ in range(_MOST_FAULTS):
        try:
            Mammogram.from_dataset(remaining)
        except HeaderError as error:
            if error.keyword not in remaining:
                return None
            del remaining[error.keyword]
        else:
            return remaining
    return None
