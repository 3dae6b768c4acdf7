import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from secondread.track.database import open_engine


def test_an_error_of_the_database_quotes_no_value() -> None:
    engine = open_engine("sqlite://")
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE patients (patient_id TEXT UNIQUE)"))
            insert = text("INSERT INTO patients VALUES (:patient_id)")
            connection.execute(insert, {"patient_id": "P-4711"})
            with pytest.raises(IntegrityError) as error:
                connection.execute(insert, {"patient_id": "P-4711"})
    finally:
        engine.dispose()

    assert "P-4711" not in str(error.value)
