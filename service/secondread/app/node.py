"""A node opened from its settings: folders, database and archive.

Imports no more than that takes: commands that only ask the tracker wait for it.
"""

import errno
import os
import socket
from dataclasses import dataclass

from secondread.accept.archive import Archive
from secondread.app.audit_message import MessageWriter
from secondread.app.data_folder import prepare_data_folder
from secondread.audit import Journal
from secondread.clock import utc_now
from secondread.errors import DatabaseDamagedError, SettingsError, StorageFullError
from secondread.settings import Settings
from secondread.track.database import Database
from secondread.track.migrate import upgrade_database
from secondread.track.tracker import Tracker


@dataclass(frozen=True, slots=True)
class Node:
    """What every process of a node shares."""

    settings: Settings
    tracker: Tracker
    archive: Archive
    installation_id: str


STORAGE_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
"""Errors of a disk that is full, read-only or ill, all of which may pass."""


RESTORING_NAME = "restoring"
"""A file in the data folder while a backup is put into it, and after that was broken off."""


COMMAND = "command"
"""Name of the process of a command that ends by itself, in the audit trail."""


def make_tracker(settings: Settings, process: str = COMMAND) -> Tracker:
    """Return the tracker of a node; its database is not asked for anything yet."""
    return Tracker(settings.tracker_url, settings.node.data_dir, make_journal(settings, process))


def make_journal(settings: Settings, process: str) -> Journal | None:
    """Return how a process writes the audit trail; None where the settings want none.

    A command is gone before it could send what it wrote: any other process does that.
    """
    if not settings.audit.enabled:
        return None
    writer = MessageWriter.from_settings(settings, process, os.getpid(), socket.gethostname())
    return Journal(
        process=process,
        sender="" if process == COMMAND else process,
        is_sent=settings.audit.syslog is None,
        write=writer.write,
    )


def check_engine_database(settings: Settings) -> None:
    """Ask the durable engine's database for something.

    Raises
    ------
    DatabaseDamagedError
        It is damaged; unlike the tracker it can be done without.
    TransientError
        It does not answer.
    """
    database = Database(settings.engine_url)
    try:
        database.ping()
    except DatabaseDamagedError as error:
        raise DatabaseDamagedError(
            "the durable engine's database is damaged; stop the node, move that database away (not "
            "the tracker's), and start again: readings that were under way begin anew"
        ) from error
    finally:
        database.close()


def open_node(settings: Settings) -> Node:
    """Make folders and tables where they are missing, and open them.

    Raises
    ------
    SettingsError
        The data folder cannot be made or written to.
    TransientError
        The disk is full or read-only, or the database is away.
    """
    prepare_data_folder(settings)
    if (settings.node.data_dir / RESTORING_NAME).is_file():
        raise SettingsError(
            f"node.data_dir {settings.node.data_dir}: a backup is being put into it, or that was "
            "broken off; `secondread restore` goes on with it"
        )
    archive = Archive(settings.node.data_dir)
    try:
        archive.create()
    except OSError as error:
        if error.errno in STORAGE_FAULTS:
            raise StorageFullError(f"{settings.node.data_dir}: {error.strerror}") from error
        raise SettingsError(f"node.data_dir {settings.node.data_dir}: {error.strerror}") from error
    upgrade_database(settings.tracker_url)
    tracker = make_tracker(settings)
    tracker.destinations.seed_modes(
        {destination.name: destination.initial_mode for destination in settings.destinations},
        utc_now(),
    )
    return Node(settings, tracker, archive, tracker.get_installation_id())
