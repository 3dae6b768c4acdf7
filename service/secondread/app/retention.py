"""Removes what is stored and never analysed, once nothing of it has come for some time."""

from datetime import datetime, timedelta

from secondread import log
from secondread.app.node import Node

_log = log.get_logger(__name__)

MOST_AT_ONCE = 500
"""How many objects one sweep removes: none may keep the database long."""


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
