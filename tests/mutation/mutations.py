"""What strangers do to data sets and files: changes that know the format, and blind ones.

A `Random` decides everything, so that a case is repeated by its seed, and a search that makes cases
smaller may take its place.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Final

from tests.mutation.elements import (
    Element,
    Item,
    copy_item,
    encode,
    encode_fragments,
    encode_nested,
    encode_tag,
    walk,
)
from tests.mutation.values import (
    CHARACTER_SETS,
    ODD_TAGS,
    TAGS,
    TEXTS,
    VRS,
    draw_value,
)

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
_ENCAPSULATED: Final = (
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.102",
)  # fmt: skip
_WRONG_SYNTAXES: Final = (
    "", "1.2.3", "1.2.840.10008.1.2.1.98", "x", "1.2.840.10008.5.1.4.1.1.2", "1." * 40,
)  # fmt: skip
_SEQUENCE_TAGS: Final = tuple(tag for tag in TAGS if tag[0] in {0x0008, 0x0040, 0x0054})
_PIXELS: Final = (0x7FE0, 0x0010)
_CHARACTER_SET: Final = (0x0008, 0x0005)
_REFERENCE: Final = (0x0040, 0xDB73)
"""Referenced Content Item Identifier: the position that an item points at."""
_BOMB_BLOCK: Final = 16 * 1024**2


@dataclass(frozen=True, slots=True)
class Limits:
    """How large mutations make things."""

    deepest: int = 400
    """Most levels of sequences."""
    most_items: int = 3000
    bomb_bytes: int = 256 * 1024**2
    """What a deflate bomb inflates to."""


SMALL, LARGE = Limits(), Limits(3000, 60_000, 3 * 1024**3)


def mutate(data_set: Item, random: Random, limits: Limits = SMALL) -> Item:
    """Return a copy of a data set with one change or a few."""
    changed = copy_item(data_set)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        items = [item for item in walk(changed) if item]
        if not items:
            break
        # At the top half of the time: that is where one change costs most.
        item = changed if changed and random.random() < 0.5 else random.choice(items)
        random.choice(_CHANGES)(item, random, limits)
    return changed


def _choose(item: Item, random: Random) -> Element:
    return random.choice(item)


def _set_value(item: Item, random: Random, limits: Limits) -> None:
    _choose(item, random).value = draw_value(random)


def _set_text(item: Item, random: Random, limits: Limits) -> None:
    """Put an odd value into an element whose VR stays what it was, where it holds no items."""
    plain = [element for element in item if not element.items]
    if plain:
        random.choice(plain).value = random.choice(TEXTS)


def _swap_vr(item: Item, random: Random, limits: Limits) -> None:
    element = _choose(item, random)
    element.vr = random.choice(VRS)
    if element.items and random.random() < 0.5:
        element.value = draw_value(random)


def _delete(item: Item, random: Random, limits: Limits) -> None:
    item.remove(_choose(item, random))


def _duplicate(item: Item, random: Random, limits: Limits) -> None:
    element = _choose(item, random)
    (twin,) = copy_item([element])
    if random.random() < 0.5:
        twin.value = draw_value(random)
    item.insert(item.index(element) + random.randint(0, 1), twin)


def _insert(item: Item, random: Random, limits: Limits) -> None:
    tag = random.choice(TAGS if random.random() < 0.8 else ODD_TAGS)
    item[:] = [element for element in item if element.tag != tag]
    item.append(Element(tag, random.choice(VRS[:34]), draw_value(random)))
    if random.random() < 0.9:
        item.sort(key=lambda element: element.tag)


def _set_length(item: Item, random: Random, limits: Limits) -> None:
    element = _choose(item, random)
    true = 0 if isinstance(element.value, list) else len(element.value)
    wrong = (0, 1, true + 1, true + 2, max(true - 2, 0), 65535, 2**31, 0xFFFFFFFE, 0xFFFFFFFF)
    element.length = random.choice(wrong)


def _set_undefined(item: Item, random: Random, limits: Limits) -> None:
    for element in item:
        if element.items:
            element.is_undefined = not element.is_undefined


def _turn_into_sequence(item: Item, random: Random, limits: Limits) -> None:
    element = _choose(item, random)
    inner = [Element(random.choice(TAGS), b"LO", draw_value(random)[:1000])]
    choices: tuple[list[Item], ...] = ([], [[]], [[], inner], [inner])
    element.vr, element.value = b"SQ", random.choice(choices)


def _nest(item: Item, random: Random, limits: Limits) -> None:
    tag, is_undefined = random.choice(_SEQUENCE_TAGS), random.random() < 0.5
    nested = encode_nested(tag, random.choice((2, 10, 31, 33, 70, limits.deepest)), is_undefined)
    item[:] = [element for element in item if element.tag != tag]
    item.append(Element(tag, b"SQ", nested, 0xFFFFFFFF if is_undefined else None))
    item.sort(key=lambda element: element.tag)


def _nest_itself(item: Item, random: Random, limits: Limits) -> None:
    """Put a copy of an item's content into each of its sequences."""
    for element in [element for element in item if element.items][:2]:
        element.items.append(copy_item(item))


def _repeat_items(item: Item, random: Random, limits: Limits) -> None:
    sequences = [element for element in item if element.items]
    if sequences:
        element = random.choice(sequences)
        times = random.choice((2, 2, 30, limits.most_items // max(_count(element), 1)))
        # The same item again and again: it is written each time, and held once.
        element.value = element.items * max(times, 1)


def _count(element: Element) -> int:
    return sum(1 for item in element.items for _ in walk(item))


def _empty_items(item: Item, random: Random, limits: Limits) -> None:
    for element in item:
        if element.items:
            element.value = [[] for _ in element.items]


def _shuffle(item: Item, random: Random, limits: Limits) -> None:
    random.shuffle(item)


def _exchange_values(item: Item, random: Random, limits: Limits) -> None:
    first, second = _choose(item, random), _choose(item, random)
    first.value, second.value = second.value, first.value


def _set_character_set(item: Item, random: Random, limits: Limits) -> None:
    item[:] = [element for element in item if element.tag != _CHARACTER_SET]
    item.insert(0, Element(_CHARACTER_SET, b"CS", random.choice(CHARACTER_SETS)))


def _point_anywhere(item: Item, random: Random, limits: Limits) -> None:
    """Have an item refer to another by its position: itself, its parent, or nothing."""
    position = [
        1,
        *(random.choice((0, 1, 2, 3, 9, 2**32 - 1)) for _ in range(random.randint(0, 4))),
    ]
    value = b"".join(number.to_bytes(4, "little") for number in position)
    item[:] = [element for element in item if element.tag != _REFERENCE]
    item.append(Element(_REFERENCE, b"UL", value))


def _set_pixels(item: Item, random: Random, limits: Limits) -> None:
    old = next((e.value for e in item if e.tag == _PIXELS and isinstance(e.value, bytes)), b"\1\2")
    cut = random.randint(0, len(old))
    new = random.choice(
        (b"", b"\0", old[:cut], old + old[: cut // 2], old[:-1], b"\xff" * len(old))
    )
    item[:] = [element for element in item if element.tag != _PIXELS]
    item.append(Element(_PIXELS, random.choice((b"OW", b"OB", b"UN", b"OF", b"US")), new))


_CHANGES: Final[tuple[Callable[[Item, Random, Limits], None], ...]] = (
    _set_value, _set_value, _set_text, _set_text, _swap_vr, _swap_vr, _delete, _duplicate, _insert,
    _insert, _set_length, _set_undefined, _turn_into_sequence, _nest, _nest_itself, _repeat_items,
    _empty_items, _shuffle, _exchange_values, _set_character_set, _point_anywhere, _set_pixels,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EncodedDataSet:
    """A data set as bytes, and the transfer syntax that is said of it, which may be wrong."""

    data: bytes
    transfer_syntax: str


def encode_somehow(
    data_set: Item, syntax: str, random: Random, limits: Limits = SMALL
) -> EncodedDataSet:
    """Write a data set: mostly as `syntax`, else as another, or in contradiction to what is said.

    Parameters
    ----------
    data_set
        What is written.
    syntax
        That of its pixel data, if they are encapsulated; else Explicit VR Little Endian.
    """
    draw = random.random()
    if draw < 0.6:
        encoded = EncodedDataSet(encode(data_set), syntax)
    elif draw < 0.7:
        encoded = EncodedDataSet(encode(data_set, implicit=True), IMPLICIT)
    elif draw < 0.77:
        encoded = EncodedDataSet(_deflate(encode(data_set)), DEFLATED)
    elif draw < 0.8:
        encoded = _encode_bomb(data_set, random, limits)
    elif draw < 0.9:
        encoded = _encapsulate(data_set, random)
    else:
        wrong = (IMPLICIT, EXPLICIT, DEFLATED, BIG_ENDIAN, *_ENCAPSULATED, *_WRONG_SYNTAXES)
        is_implicit = random.random() < 0.3
        encoded = EncodedDataSet(encode(data_set, implicit=is_implicit), random.choice(wrong))
    if random.random() < 0.3:
        return EncodedDataSet(corrupt(encoded.data, random), encoded.transfer_syntax)
    return encoded


def _deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def _encode_bomb(data_set: Item, random: Random, limits: Limits) -> EncodedDataSet:
    """Write a deflated data set whose last element inflates to far more than it took to send."""
    size = limits.bomb_bytes // _BOMB_BLOCK * _BOMB_BLOCK
    tag = random.choice((_PIXELS, (0x0008, 0x103E), (0x0040, 0xA160), (0x0009, 0x1001)))
    content = [element for element in data_set if element.tag < tag]
    start = encode(content) + encode_tag(tag) + b"OB" + bytes(2) + size.to_bytes(4, "little")
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    head = compressor.compress(start) + compressor.flush(zlib.Z_FULL_FLUSH)
    return EncodedDataSet(head + _deflated_block() * (size // _BOMB_BLOCK) + b"\x03\0", DEFLATED)


@cache
def _deflated_block() -> bytes:
    """Return zeros, deflated so that the block may be repeated."""
    compressor = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return compressor.compress(bytes(_BOMB_BLOCK)) + compressor.flush(zlib.Z_FULL_FLUSH)


def _encapsulate(data_set: Item, random: Random) -> EncodedDataSet:
    """Write encapsulated pixel data whose fragments are no code streams, or broken ones."""
    pixels = next((e.value for e in data_set if e.tag == _PIXELS), b"")
    real = pixels if isinstance(pixels, bytes) else b""
    starts = (
        b"\xff\xd8\xff\xc3",
        b"\xff\x4f\xff\x51",
        b"\xff\xd8\xff\xf7",
        b"\xff\xd8\xff\xe0",
        b"",
    )
    fragments = [b""] if random.random() < 0.8 else [b"\0\0\0\0\xff\xff\xff\x7f"]
    fragments += [
        random.choice(starts) + real[: random.choice((0, 3, 64, 5000))]
        for _ in range(random.choice((0, 1, 1, 2, 40)))
    ]
    body = encode_fragments(fragments)
    rest = [element for element in data_set if element.tag != _PIXELS]
    last = encode_tag(_PIXELS) + b"OB" + bytes(2) + b"\xff\xff\xff\xff"
    cut = body[: random.choice((len(body), len(body), len(body) - 8, len(body) // 2))]
    return EncodedDataSet(encode(rest) + last + cut, random.choice(_ENCAPSULATED))


def corrupt(data: bytes, random: Random) -> bytes:
    """Change bytes blindly: flipped, cut off, left out, put in, or said twice."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randint(0, max(len(changed) - 1, 0))
        span = random.choice((1, 1, 2, 4, 7, 64))
        match random.randint(0, 5):
            case 0 | 1:
                changed[at : at + 1] = bytes([random.randint(0, 255)])
            case 2:
                del changed[at:]
            case 3:
                del changed[at : at + span]
            case 4:
                changed[at:at] = random.choice((b"\0", b"\xff", b"\xfe\xff\x00\xe0")) * span
            case _:
                changed[at:at] = changed[at : at + span]
    return bytes(changed)


def write_meta(transfer_syntax: str) -> bytes:
    """Return what precedes a data set in a file: preamble, prefix, file meta information."""
    return bytes(128) + b"DICM" + b"".join(_encode_meta(transfer_syntax))


def _encode_meta(transfer_syntax: str) -> tuple[bytes, bytes]:
    """Return the group length of the file meta information, and the rest of it."""
    syntax = transfer_syntax.encode()
    meta = encode([Element((0x0002, 0x0010), b"UI", syntax + b"\0" * (len(syntax) % 2))])
    length = len(meta).to_bytes(4, "little")
    return encode([Element((0x0002, 0x0000), b"UL", length)]), meta


def write_part10(encoded: EncodedDataSet, random: Random) -> bytes:
    """Return a file around a data set: mostly as PS3.10 has it, else without a part of it."""
    if random.random() < 0.8:
        return write_meta(encoded.transfer_syntax) + encoded.data
    length, meta = _encode_meta(encoded.transfer_syntax)
    wrong = encode([Element((0x0002, 0x0000), b"UL", random.choice((b"\0" * 4, b"\xff" * 4, b"")))])
    start = random.choice(
        (
            b"",
            bytes(128),
            bytes(128) + b"DICM",
            b"DICM" + length + meta,
            bytes(128) + b"DICM" + meta,
            bytes(128) + b"DICM" + wrong + meta,
            bytes(128) + b"DICM" + length + meta * 2,
            bytes(128) + b"DICM" + corrupt(length + meta, random),
            length + meta,
        )
    )
    return start + encoded.data
