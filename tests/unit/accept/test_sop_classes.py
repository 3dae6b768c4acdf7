from pydicom import uid

from secondread.accept.sop_classes import (
    SOP_CLASSES,
    TRANSFER_SYNTAXES,
    InstanceUse,
    PixelCoding,
    SyntaxList,
    find_use,
    list_transfer_syntaxes,
)


def test_every_row_is_a_registered_uid_and_stands_once() -> None:
    for table in (SOP_CLASSES, TRANSFER_SYNTAXES):
        assert len({row.uid for row in table}) == len(table)
        assert all(row.uid.name != row.uid for row in table)


def test_images_come_uncompressed_first_and_lossy_last() -> None:
    syntaxes = list_transfer_syntaxes(SyntaxList.IMAGE)
    assert syntaxes[0].uid == uid.ExplicitVRLittleEndian
    order = [PixelCoding.READ, PixelCoding.EITHER, PixelCoding.LOSSY]
    codings = [row.coding for row in syntaxes]
    assert codings == sorted(codings, key=order.index)


def test_what_may_be_lossy_by_the_standard_is_not_read_unseen() -> None:
    by_coding = {
        coding: {row.uid for row in TRANSFER_SYNTAXES if row.coding is coding}
        for coding in PixelCoding
    }
    assert by_coding[PixelCoding.LOSSY] == {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit}
    assert by_coding[PixelCoding.EITHER] == {uid.JPEG2000, uid.JPEGLSNearLossless}


def test_documents_are_offered_without_image_compression() -> None:
    assert {row.uid for row in list_transfer_syntaxes(SyntaxList.DOCUMENT)} == {
        uid.ExplicitVRLittleEndian,
        uid.ImplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
    }


def test_verification_is_answered_and_unknown_classes_have_no_use() -> None:
    assert find_use("1.2.840.10008.1.1") is InstanceUse.ANSWERED
    assert find_use(uid.CTImageStorage) is None
