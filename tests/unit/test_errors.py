import pytest

from secondread.errors import HeaderError, describe_without_quoting


def test_a_header_error_names_keyword_tag_fault_and_rule() -> None:
    error = HeaderError("SOPInstanceUID", "no UID", "components of digits")

    assert str(error) == "SOPInstanceUID (0008,0018) is no UID: components of digits"


def test_an_unexpected_error_is_described_by_type_and_place_without_its_text() -> None:
    with pytest.raises(ValueError, match="Doe") as raised:
        int("Doe^Jane")

    described = describe_without_quoting(raised.value)

    assert described.startswith("ValueError at test_errors.py:")
    assert "Doe" not in described
