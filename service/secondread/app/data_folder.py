"""The node's data folder and its SQLite files: for its own user alone (0700 and 0600).

In them are images, reports and patients' names. The mode of the folder decides who reaches what
lies in it; the databases have their own, because a setting may put them elsewhere.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from secondread import log
from secondread.errors import SettingsError
from secondread.settings import Settings

_log = log.get_logger(__name__)

_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_SQLITE: Final = "sqlite:///"
_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
"""Of the files that SQLite keeps beside a database, with the same content."""


@dataclass(frozen=True, slots=True)
class OpenToOthers:
    """A file or folder that other users of the machine may read, write or look into."""

    path: Path
    mode: int
    """Its permission bits when it was looked at."""
    is_tightened: bool
    """Whether it is private now; False where it belongs to another user."""

    def __str__(self) -> str:
        if self.is_tightened:
            return f"{self.path} was open to others (mode {self.mode:04o}), and is private now"
        return (
            f"{self.path} is open to others (mode {self.mode:04o}), and not this user's to change"
        )


def prepare_data_folder(settings: Settings) -> list[OpenToOthers]:
    """Make the data folder where it is missing, and have it and the databases be private.

    Returns
    -------
    list of OpenToOthers
        What was not private.

    Raises
    ------
    SettingsError
        The folder cannot be made.
    """
    folder = settings.node.data_dir
    try:
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        in_the_way = next(path for path in (folder, *folder.parents) if path.exists())
        raise SettingsError(
            f"node.data_dir {folder}: {in_the_way} is a file, and has to be a folder"
        ) from error
    except OSError as error:
        raise SettingsError(f"node.data_dir {folder} cannot be made: {error.strerror}") from error
    targets = [(folder, _FOLDER_MODE), *((path, _FILE_MODE) for path in _list_databases(settings))]
    found = [wide for path, mode in targets if (wide := _tighten(path, mode)) is not None]
    for wide in found:
        _log.warning(
            "open_to_others",
            path=str(wide.path),
            mode=f"{wide.mode:04o}",
            is_tightened=wide.is_tightened,
        )
    return found


def _list_databases(settings: Settings) -> Iterator[Path]:
    for url in {settings.tracker_url, settings.engine_url}:
        if url.startswith(_SQLITE):
            path = url.removeprefix(_SQLITE).partition("?")[0]
            yield from (Path(path + suffix) for suffix in _SUFFIXES if path)


def _tighten(path: Path, mode: int) -> OpenToOthers | None:
    """Make a file or folder private; return what it was if it was not."""
    try:
        found = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return None
    if not found & _OTHERS:
        return None
    try:
        path.chmod(found & mode)
    except PermissionError:
        return OpenToOthers(path, found, is_tightened=False)
    return OpenToOthers(path, found, is_tightened=True)
