from secondread.errors import HeaderError


def test_a_header_error_names_keyword_tag_value_and_rule() -> None:
    error = HeaderError("ImagerPixelSpacing", [0, 0], "two positive numbers in mm are expected")

    assert str(error) == (
        "ImagerPixelSpacing (0018,1164) is [0, 0]: two positive numbers in mm are expected"
    )
    assert "absent" in str(HeaderError("PatientID", None, "needed"))
