"""Cases: a seed, what is changed of it, and how it is written; each from one random number."""

from collections.abc import Sequence
from random import Random

from tests.mutation.elements import Item, copy_item, encode
from tests.mutation.mutations import (
    SMALL,
    EncodedDataSet,
    Limits,
    encode_somehow,
    mutate,
    write_meta,
    write_part10,
)
from tests.mutation.node import Request
from tests.mutation.seeds import Seed, list_images, list_others, list_reports

_SOP_INSTANCE, _STUDY, _SERIES = (0x0008, 0x0018), (0x0020, 0x000D), (0x0020, 0x000E)
REPORTED_IMAGE = "1.5.1"
_PATIENT_ID = (0x0010, 0x0020)


def draw_report(random: Random, limits: Limits = SMALL) -> bytes:
    """Return a file of a structured report that somebody changed."""
    seed = random.choice(list_reports())
    return _write_changed(seed, seed.data_set, random, limits)


def draw_file(random: Random, number: int, limits: Limits = SMALL) -> bytes:
    """Return a file that is given to `secondread read`; of another study than other numbers'."""
    seed = _draw_seed(random)
    return _write_changed(seed, renumber(seed.data_set, number), random, limits)


def draw_image_of_report(random: Random, limits: Limits = SMALL) -> bytes:
    """Return a file of an image that somebody changed, which `make_report` names."""
    seed = random.choice(list_images())
    image = copy_item(seed.data_set)
    for element in image:
        if element.tag == _SOP_INSTANCE:
            element.value = REPORTED_IMAGE.encode() + b"\0"
    return _write_changed(seed, image, random, limits)


def make_report() -> bytes:
    """Return a file of an unchanged report about that image."""
    seed = next(seed for seed in list_reports() if seed.name == "CAD SR of another maker")
    return write_meta(seed.transfer_syntax) + encode(seed.data_set)


def write_good_file(seed: Seed, number: int) -> bytes:
    """Return a seed as a file, unchanged but for its study."""
    return write_meta(seed.transfer_syntax) + encode(renumber(seed.data_set, number))


def draw_request(random: Random, number: int, limits: Limits = SMALL) -> Request:
    """Return a C-STORE request; its command names what the data set had been before."""
    seed = _draw_seed(random)
    changed = mutate(renumber(seed.data_set, number), random, limits)
    encoded = encode_somehow(changed, seed.transfer_syntax, random, limits)
    return Request(encoded, seed.sop_class_uid, _name(number, 9))


def make_request(seed: Seed, number: int) -> Request:
    """Return the C-STORE request of a seed, unchanged but for its study."""
    encoded = EncodedDataSet(encode(renumber(seed.data_set, number)), seed.transfer_syntax)
    return Request(encoded, seed.sop_class_uid, _name(number, 9))


def _draw_seed(random: Random) -> Seed:
    kinds: Sequence[tuple[Seed, ...]] = (list_images(), list_images(), list_images())
    return random.choice(random.choice((*kinds, list_reports(), list_others())))


def _write_changed(seed: Seed, data_set: Item, random: Random, limits: Limits) -> bytes:
    changed = mutate(data_set, random, limits)
    return write_part10(encode_somehow(changed, seed.transfer_syntax, random, limits), random)


def renumber(data_set: Item, number: int) -> Item:
    """Return a data set as an instance of a study and a patient of its own."""
    names = {
        _SOP_INSTANCE: _name(number, 9),
        _STUDY: _name(number),
        _SERIES: _name(number, 1),
        _PATIENT_ID: f"P{number}",
    }
    renumbered = copy_item(data_set)
    for element in renumbered:
        if element.tag in names:
            value = names[element.tag].encode()
            element.value = value + b"\0" * (len(value) % 2)
    return renumbered


def _name(number: int, *parts: int) -> str:
    return ".".join(map(str, ("1.2.826.0.1.3680043.10.99", number, *parts)))
