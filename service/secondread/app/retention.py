"""Removes what nobody needs any more: objects that are never analysed, folders of lost readings."""

import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from secondread import log
from secondread.app.node import Node
from secondread.track.values import ClaimedRevision
from secondread.workflow.revision_reader import name_folder

_log = log.get_logger(__name__)

MOST_AT_ONCE = 500
"""How many objects one sweep removes: none may keep the database long."""

LEFT_SECONDS = 600.0
"""How long ago the last file came into a folder that is taken for one left behind."""


def remove_old_objects(node: Node, now: datetime) -> int:
    """Remove objects that are not analysed and older than the settings say; return how many.

    Images, rejection notes, CAD reports and the node's own results are never touched.
    """
    limit = now - timedelta(days=node.settings.receive.not_analysed_days)
    objects = node.tracker.other_objects
    removed = [
        item
        for item in objects.list_arrived_before(limit, MOST_AT_ONCE)
        if objects.remove(item, limit, node.archive.remove, now)
    ]
    if removed:
        size = sum(item.size_bytes for item in removed)
        _log.info("not_analysed_removed", objects=len(removed), bytes=size)
    return len(removed)


def remove_left_folders(
    work_dir: Path, unfinished: Iterable[ClaimedRevision], now: datetime
) -> int:
    """Remove what readings kept between their steps and never tidied; return how many folders.

    Parameters
    ----------
    work_dir
        Where their folders are.
    unfinished
        The readings that are under way.
    now
        The present instant.
    """
    needed = {name_folder(claimed.study_uid, claimed.number) for claimed in unfinished}
    limit = now.timestamp() - LEFT_SECONDS
    left = [
        folder
        for folder in (work_dir.iterdir() if work_dir.is_dir() else ())
        if folder.is_dir() and folder.name not in needed and folder.stat().st_mtime < limit
    ]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    if left:
        _log.info("left_folders_removed", folders=len(left))
    return len(left)
