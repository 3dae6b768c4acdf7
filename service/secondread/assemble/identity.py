"""Whose images they are, and what of a broken header still says so."""

from collections.abc import Iterable
from copy import deepcopy

from pydicom.dataset import Dataset

from secondread.assemble.mammogram import Mammogram
from secondread.errors import HeaderError

_MOST_FAULTS = 8


def has_several_patients(mammograms: Iterable[Mammogram]) -> bool:
    """Whether the images are of more than one patient.

    Two IDs are two patients, and so are two issuers; an issuer that only some images name is
    taken as a gap of the others.
    """
    patients = {mammogram.patient for mammogram in mammograms}
    ids = {patient.patient_id for patient in patients}
    issuers = {patient.issuer for patient in patients if patient.issuer}
    return len(ids) > 1 or len(issuers) > 1


def drop_invalid_attributes(header: Dataset) -> Dataset | None:
    """Return a header without the attributes that make no sense; None where nothing remains.

    For results that say that an image could not be read: they need to know whose it is.
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
