from secondread.codes import View
from secondread.findings.image_names import name_images
from tests.worlds.builders import mammogram, view_sequence


def test_a_view_that_comes_again_gets_names_of_its_own() -> None:
    images = [
        mammogram(SOPInstanceUID="1.1"),
        mammogram(SOPInstanceUID="1.2"),
        mammogram(SOPInstanceUID="1.3", ViewCodeSequence=view_sequence(View.MLO)),
    ]

    named = name_images(images)

    assert [names.label for names in named.values()] == ["LCC", "LCC2", "LMLO"]
    assert [names.name for names in named.values()] == ["L CC", "L CC (2)", "L MLO"]


def test_modified_views_are_named_by_their_modifier_and_numbered_apart() -> None:
    displaced = view_sequence(View.CC, ("399209000", "SCT"))
    images = [
        mammogram(SOPInstanceUID="1.1"),
        mammogram(SOPInstanceUID="1.2", ViewCodeSequence=displaced),
    ]

    named = name_images(images)

    assert [names.label for names in named.values()] == ["LCC", "LCC2"]
    assert [names.name for names in named.values()] == ["L CC", "L CC, implant displaced"]
