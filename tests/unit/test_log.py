import io
import json
import logging

import pytest
from prometheus_client import REGISTRY

from secondread import log


@pytest.fixture
def stream() -> io.StringIO:
    out = io.StringIO()
    log.configure_logging("test", "info", out)
    return out


def test_a_record_is_one_json_object_with_process_and_time(stream: io.StringIO) -> None:
    log.get_logger("x").info("instance_stored", study_uid="1.2.3", bytes=5)

    record = json.loads(stream.getvalue())
    assert record["event"] == "instance_stored"
    assert (record["process"], record["study_uid"], record["bytes"]) == ("test", "1.2.3", 5)
    assert record["timestamp"].endswith("Z")


def test_patient_data_are_withheld_whoever_logs_them(stream: io.StringIO) -> None:
    log.get_logger("x").info("e", patient_id="P1", patient_name="Doe^J", ds="(0010,0010) Doe")

    assert "P1" not in stream.getvalue()
    assert "Doe" not in stream.getvalue()


def quote_in_library(name: str = "pynetdicom.dul") -> None:
    """Have a library log an error that quotes a header."""
    try:
        int("Doe^Jane")
    except ValueError as error:
        logging.getLogger(name).exception(error)  # noqa: TRY401  (as pynetdicom does)


def test_what_libraries_log_is_counted_and_never_written(stream: io.StringIO) -> None:
    labels = {"library": "pynetdicom", "level": "error"}
    before = REGISTRY.get_sample_value("secondread_library_records_total", labels) or 0
    for _ in range(1000):
        quote_in_library()

    assert REGISTRY.get_sample_value("secondread_library_records_total", labels) == before + 1000
    (record,) = map(json.loads, stream.getvalue().splitlines())
    assert (record["event"], record["library"], record["count"]) == (
        "library_records",
        "pynetdicom",
        1,
    )
    # Nothing that a person has to act upon: what it means is logged where it matters.
    assert (record["level"], record["library_level"]) == ("info", "error")
    assert record["error"] == "ValueError"
    assert record["place"].startswith("test_log.py:")
    assert not any(word in stream.getvalue() for word in ("Doe", "Traceback"))


def test_now_and_then_a_line_says_how_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("secondread.log.time.monotonic", lambda: now)
    records = log.LibraryFilter(seconds_between_lines=0.0)
    assert [records._count("x", logging.ERROR) for _ in range(3)] == [1, 1, 1]
    patient = log.LibraryFilter(seconds_between_lines=60.0)
    assert [patient._count("x", logging.ERROR) for _ in range(3)] == [1, 0, 0]
    assert patient._count("y", logging.ERROR) == 1
    now += 61.0
    assert patient._count("x", logging.ERROR) == 3


@pytest.mark.parametrize(
    "name", ["pydicom", "uvicorn.error", "asyncio", "dbos", "py.warnings", "own"]
)
def test_no_library_gets_a_word_in(stream: io.StringIO, name: str) -> None:
    logging.getLogger(name).error("Invalid value for VR PN: 'Doe^Jane=='")
    quote_in_library(name)

    assert "Doe" not in stream.getvalue()


def test_an_exception_of_our_own_is_written_as_type_and_places(stream: io.StringIO) -> None:
    try:
        int("Doe^Jane")
    except ValueError:
        log.get_logger("x").exception("worker_failed")

    record = json.loads(stream.getvalue())
    assert record["error"].startswith("ValueError at test_log.py:")
    assert record["places"] == [record["error"].partition(" at ")[2]]
    assert not any(word in stream.getvalue() for word in ("Doe", "Traceback"))


def test_a_command_at_a_terminal_shows_no_line_about_a_warning_of_a_library() -> None:
    out = io.StringIO()
    log.configure_logging("read", "warning", out)
    logging.getLogger("pydicom").warning("Invalid value for VR PN: 'Doe^Jane=='")

    assert out.getvalue() == ""
