"""Tables of a model's TOML files, and reading such a file with errors that name file and key."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from secondread.errors import ModelError

Hex256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Percent = Annotated[float, Field(ge=0, le=100)]


class TomlTable(BaseModel):
    """One table; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


_Table = TypeVar("_Table", bound=TomlTable)


def read_toml(path: Path, kind: str, table: type[_Table]) -> tuple[_Table, str]:
    """Read a file and return its content with its SHA-256.

    Parameters
    ----------
    path
        The file.
    kind
        What it is, for the messages.
    table
        What it has to hold.

    Raises
    ------
    ModelError
        The file cannot be read, is not TOML, or a key is missing, unknown or wrong.
    """
    try:
        content = path.read_bytes()
        values = table.model_validate(tomllib.loads(content.decode("utf-8")))
    except OSError as error:
        raise ModelError(f"{kind} {path}: {error.strerror}") from error
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or '(whole file)'}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ]
        raise ModelError(f"{kind} {path}: " + "; ".join(faults)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{kind} {path} is not valid TOML: {error}") from error
    return values, hashlib.sha256(content).hexdigest()
