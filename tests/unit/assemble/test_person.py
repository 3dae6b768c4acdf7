"""Whether two headers under one Patient ID are of one woman: by name, birth date and age."""

from datetime import date

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from secondread.assemble.birth_date import parse_birth_date
from secondread.assemble.header_person import read_person
from secondread.assemble.person import (
    IdentityMatch,
    Person,
    are_different_people,
    compare_persons,
    complete_persons,
)
from secondread.assemble.person_name import NameMatch, compare_names, names_somebody

STUDY_DATE = date(2026, 1, 5)


def person(name: str = "", birth_date: str = "") -> Person:
    return Person(name if names_somebody(name) else "", parse_birth_date(birth_date, STUDY_DATE))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Alpha^Anna", "ALPHA^ANNA"),
        ("Müller^Anna", "MUELLER^ANNA"),
        ("Müller^Anna", "Muller^Anna"),
        ("Søndergård^Åse", "SONDERGARD^ASE"),
        ("Alpha^Anna", "Anna^Alpha"),
        ("Alpha^Anna", "Alpha Anna"),
        ("Alpha, Anna", "ALPHA^ANNA^^^"),
        ("Alpha^Anna^Maria", "Alpha^Anna"),
        ("Alpha^Anna^M", "Alpha^Anna^Maria"),
        ("Alpha^A", "Alpha^Anna"),
        ("Alpha-Beta^Anna", "Alpha^Anna"),
        ("Alpha Beta^Anna", "Beta-Alpha^Anna"),
        ("van der Berg^Anna", "Berg^Anna"),
        ("Vander Berg^Anna", "VANDERBERG^ANNA"),
        ("Alpha geb. Beta^Anna", "Beta^Anna"),
        ("Dr. Alpha^Anna", "Alpha^Anna^^Dr."),
        ("Michael^Anna", "Micheal^Anna"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "YAMADA^TAROU"),
        ("Yamada^Tarou=山田^太郎", "=山田^太郎=ﾔﾏﾀﾞ^ﾀﾛｳ"),
        ("=山田^花子=やまだ^はなこ", "=山田^花子=ヤマダ^ハナコ"),
        ("Иванова^Анна", "ИВАНОВА^АННА"),
    ],
)
def test_one_name_is_recognized_in_many_spellings(a: str, b: str) -> None:
    assert compare_names(a, b) is NameMatch.YES
    assert compare_names(b, a) is NameMatch.YES


@pytest.mark.parametrize(
    ("a", "b", "match"),
    [
        ("Alpha^Anna", "Beta^Anna", NameMatch.GIVEN_NAME),
        ("Alpha^Anna^Maria", "Beta^Anna", NameMatch.GIVEN_NAME),
        ("Alpha^Anna", "Alpha^Berta", NameMatch.IN_PART),
        ("Alpha^Anna", "Anna Beta", NameMatch.IN_PART),
        ("Alpha^Anna", "Beta^Berta", NameMatch.NO),
        ("Alpha^Anna^Maria", "Alpha^Berta^Maria", NameMatch.IN_PART),
        ("山田^花子", "鈴木^幸子", NameMatch.NO),
        ("Subject^17", "Subject^18", NameMatch.NO),
        ("Anon-0001", "Anon-0002", NameMatch.NO),
        ("ANON0001", "ANON0002", NameMatch.NO),
    ],
)
def test_what_differs_between_names_is_found(a: str, b: str, match: NameMatch) -> None:
    assert compare_names(a, b) is match
    assert compare_names(b, a) is match


@pytest.mark.parametrize(
    "nobody",
    [
        "",
        "^",
        "ANONYMOUS",
        "Anonymous^Patient",
        "XXXXX",
        "Unknown^Unknown",
        "NoName",
        "No^Name",
        "?",
    ],
)
def test_a_placeholder_is_no_name(nobody: str) -> None:
    assert not names_somebody(nobody)
    assert compare_names(nobody, "Alpha^Anna") is NameMatch.UNKNOWN


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Иванова^Анна", "Ivanova^Anna"),
        ("=山田^花子", "Yamada^Hanako"),
        ("\x8eR\x93c^\x89\xd4\x8eq", "Yamada^Hanako"),
        ("\ufffd\ufffd^\ufffd", "Alpha^Anna"),
    ],
)
def test_names_in_different_scripts_or_unreadable_ones_contradict_nothing(a: str, b: str) -> None:
    assert compare_names(a, b) is NameMatch.UNKNOWN


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("19500301", "1950-03-01", "1950-03-01"),
        ("1950.03.01", "1950-03-01", "1950-03-01"),
        ("1950-03-01", "1950-03-01", "1950-03-01"),
        ("01.03.1950", "1950-03-01", "1950-03-01"),
        ("1.3.1950", "1950-03-01", "1950-03-01"),
        ("25/03/1950", "1950-03-25", "1950-03-25"),
        ("03/25/1950", "1950-03-25", "1950-03-25"),
        ("01/03/1950", "1950-01-01", "1950-12-31"),
        ("25031950", "1950-03-25", "1950-03-25"),
        ("19500301120000", "1950-03-01", "1950-03-01"),
        ("1950", "1950-01-01", "1950-12-31"),
        ("195002", "1950-02-01", "1950-02-28"),
        ("195012", "1950-12-01", "1950-12-31"),
        ("19500000", "1950-01-01", "1950-12-31"),
        ("19500300", "1950-03-01", "1950-03-31"),
    ],
)
def test_birth_dates_are_read_in_every_form(text: str, earliest: str, latest: str) -> None:
    born = parse_birth_date(text, STUDY_DATE)
    assert born is not None
    assert (born.earliest, born.latest) == (
        date.fromisoformat(earliest),
        date.fromisoformat(latest),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00000000",
        "19000101",
        "00010101",
        "99991231",
        "unknown",
        "20260105",
        "1950/",
        "19501332",
    ],
)
def test_a_birth_date_that_is_none_is_not_known(text: str) -> None:
    born = parse_birth_date(text, STUDY_DATE)
    assert born is None or born.earliest.year == 1950


ANNA = person("Alpha^Anna", "19500301")


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (person("ALPHA^ANNA", "1950.03.01"), IdentityMatch.SAME),
        (person("Alpha^Anna", "1950"), IdentityMatch.SAME),
        (person("Alpha^Anna"), IdentityMatch.SAME),
        (person("", "19500301"), IdentityMatch.SAME),
        (person("ANONYMOUS", "00000000"), IdentityMatch.SAME),
        (person("Beta^Anna", "19500301"), IdentityMatch.SURNAME_DIFFERS),
        (person("Alpha^Berta", "19500301"), IdentityMatch.NAME_DIFFERS),
        (person("Alpha^Anna", "19710203"), IdentityMatch.IN_DOUBT),
        (person("", "19710203"), IdentityMatch.IN_DOUBT),
        (person("Alpha^Anna", "1951"), IdentityMatch.IN_DOUBT),
        (person("Beta^Berta", "19500301"), IdentityMatch.IN_DOUBT),
        (person("Beta^Berta", ""), IdentityMatch.IN_DOUBT),
        (person("Beta^Anna", "00000000"), IdentityMatch.IN_DOUBT),
    ],
)
def test_two_headers_are_judged(other: Person, match: IdentityMatch) -> None:
    assert compare_persons(ANNA, other) is match
    assert compare_persons(other, ANNA) is match


def test_of_an_id_that_several_share_name_and_birth_date_have_to_agree() -> None:
    def judge(other: Person) -> IdentityMatch:
        return compare_persons(ANNA, other, is_id_shared=True)

    assert judge(person("ALPHA^ANNA", "19500301")) is IdentityMatch.SAME
    assert judge(person("Alpha^Anna")) is IdentityMatch.IN_DOUBT
    assert judge(person("", "19500301")) is IdentityMatch.IN_DOUBT
    assert judge(person("Beta^Anna", "19500301")) is IdentityMatch.IN_DOUBT
    assert judge(person()) is IdentityMatch.IN_DOUBT


def test_images_of_one_study_are_of_two_people_only_where_they_contradict_each_other() -> None:
    assert are_different_people(ANNA, person("Alpha^Anna", "19710203"))
    assert are_different_people(ANNA, person("Beta^Berta"))
    assert not are_different_people(ANNA, person("Beta^Berta", "19500301"))
    assert not are_different_people(ANNA, person("Beta^Anna"))
    assert not are_different_people(ANNA, person())


def test_what_one_image_lacks_its_study_says() -> None:
    year = person("", "1950")
    assert complete_persons([person("Alpha^Anna"), year, ANNA]) == (ANNA,)
    assert complete_persons([person("Alpha^Anna"), year]) == (Person("Alpha^Anna", year.born),)
    assert complete_persons([]) == (Person(),)


def read(name: bytes, character_set: str = "", **attributes: str) -> Person:
    ds = Dataset()
    if character_set:
        ds.SpecificCharacterSet = character_set
    tag = Tag("PatientName")
    ds[tag] = RawDataElement(tag, "PN", len(name), name, 0, False, True, True)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return read_person(ds, STUDY_DATE)


@pytest.mark.parametrize(
    ("encoding", "character_set"),
    [
        ("latin-1", "ISO_IR 100"),
        ("utf-8", "ISO_IR 192"),
        ("utf-8", "ISO_IR 100"),
        ("utf-8", ""),
        ("latin-1", ""),
    ],
)
def test_a_name_is_read_where_bytes_and_character_set_disagree(
    encoding: str, character_set: str
) -> None:
    assert read("Müller^Änne".encode(encoding), character_set).name == "Müller^Änne"


def test_a_birth_name_and_other_names_are_names_of_hers_too() -> None:
    married = read(b"Beta^Anna", PatientBirthName="Alpha^Anna", PatientBirthDate="19500301")
    assert compare_persons(ANNA, married) is IdentityMatch.SAME
    renamed = read(b"Beta^Anna\\Alpha^Anna", PatientBirthDate="19500301")
    assert compare_persons(ANNA, renamed) is IdentityMatch.SAME
    assert read(b"Beta^Anna", OtherPatientNames="ANONYMOUS").name == "Beta^Anna"


def test_an_age_tells_women_apart_and_proves_nothing() -> None:
    aged = read(b"", PatientAge="076Y")
    assert compare_persons(aged, person("", "19500301")) is IdentityMatch.SAME
    assert compare_persons(aged, person("", "19710203")) is IdentityMatch.IN_DOUBT
    assert compare_persons(aged, aged, is_id_shared=True) is IdentityMatch.IN_DOUBT


@pytest.mark.parametrize("age", ["", "090Y", "000Y", "003M", "many"])
def test_an_age_that_says_nothing_is_not_known(age: str) -> None:
    ds = Dataset()
    ds.add_new("PatientAge", "LO", age)
    assert read_person(ds, STUDY_DATE) == Person()
