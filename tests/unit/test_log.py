import io
import json
import logging

import pytest

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


def test_records_of_libraries_come_in_the_same_form(stream: io.StringIO) -> None:
    logging.getLogger("some.library").warning("careful: %s", "x")

    record = json.loads(stream.getvalue())
    assert (record["event"], record["level"]) == ("careful: x", "warning")


def test_what_pydicom_quotes_from_a_header_is_never_written(stream: io.StringIO) -> None:
    logging.getLogger("pydicom").error("Invalid value for VR PN: 'Doe^Jane=='")

    assert stream.getvalue() == ""
