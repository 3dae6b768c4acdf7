"""Certificates while a process runs: taken up when they change, and alarms before they expire."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from typing import Protocol

from secondread import log
from secondread.app.node import Node
from secondread.app.repeating import repeat_in_thread
from secondread.certificates import (
    EXPIRES_AT_ONCE,
    EXPIRES_SOON,
    CertificateUse,
    find_earliest_expiry,
    get_syslog_tls,
    list_certificate_uses,
)
from secondread.clock import Clock, utc_now
from secondread.errors import SettingsError, TransientError, describe_without_quoting
from secondread.settings import Settings
from secondread.tls import ReloadingContext, open_client_context
from secondread.track.operations import Alarms
from secondread.track.values import Severity

_log = log.get_logger(__name__)

EXPIRY_ALARM = "certificate-expires"
"""Alarm: a certificate of the node's, or one that it trusts, expires soon or has expired."""
FILES_ALARM = "certificate-files-unusable"
"""Alarm: files of certificates cannot be used; those before them stay in use, if there were any."""

WATCH_SECONDS = 5.0
"""How often the files are looked at."""


class CertificateWatch:
    """Looks after the certificates of some users of TLS.

    Parameters
    ----------
    alarms
        Where its alarms go.
    uses
        The files.
    contexts
        The context of each user, to refresh; None where it could not be made yet.
    clock
        The present instant.
    """

    def __init__(
        self,
        alarms: Alarms,
        uses: list[CertificateUse],
        contexts: "Mapping[str, ContextSource]",
        clock: Clock,
    ) -> None:
        self._alarms = alarms
        self._uses = uses
        self._contexts = contexts
        self._clock = clock
        self._recorded: dict[tuple[str, str], tuple[str, Severity] | None] = {}

    def check(self) -> None:
        """Refresh every context, and raise or clear the alarms that have changed.

        Raises
        ------
        TransientError
            The database cannot be reached; the next check makes up for it.
        """
        faults = {user: self._refresh(user, open_it) for user, open_it in self._contexts.items()}
        for user, fault in faults.items():
            state = None if fault is None else (fault, Severity.CRITICAL)
            self._record(FILES_ALARM, user, state)
        for user in self._contexts:
            self._record(EXPIRY_ALARM, user, self._judge_expiry(user))

    def _refresh(self, user: str, open_it: "ContextSource") -> str | None:
        """Return what is wrong with the files."""
        try:
            if open_it().refresh():
                _log.info("certificates_reloaded", user=user)
        except SettingsError as error:
            if self._recorded.get((FILES_ALARM, user)) is None:
                _log.error("certificates_not_reloaded", user=user, error=str(error))
            return str(error)
        return None

    def _judge_expiry(self, user: str) -> tuple[str, Severity] | None:
        found = []
        for use in self._uses:
            if use.user == user:
                try:
                    found.append((find_earliest_expiry(use.file), use))
                except SettingsError:  # the other alarm says so
                    continue
        if not found:
            return None
        expires_at, use = min(found, key=lambda pair: pair[0])
        return describe_expiry(use, expires_at, self._clock())

    def _record(self, kind: str, user: str, state: tuple[str, Severity] | None) -> None:
        """Write what has changed, and at the first time everything."""
        key = (kind, user)
        if key in self._recorded and self._recorded[key] == state:
            return
        if state is None:
            self._alarms.clear_alarm(kind, user, self._clock())
        else:
            words, severity = state
            self._alarms.raise_alarm(kind, user, words, self._clock(), severity, restates=True)
        self._recorded[key] = state


class ContextSource(Protocol):
    """Opens the context of a user of TLS."""

    def __call__(self) -> ReloadingContext:
        """Return the context; raise `SettingsError` where it cannot be made."""


def describe_expiry(
    use: CertificateUse, expires_at: datetime, now: datetime
) -> tuple[str, Severity] | None:
    """Return the alarm of a certificate in words, and its severity; None while there is time."""
    left = expires_at - now
    if left > EXPIRES_SOON:
        return None
    verb = "expired" if left.total_seconds() <= 0 else "expires"
    words = (
        f"a certificate in {use.file} (tls.{use.role}) {verb} on {expires_at:%Y-%m-%d %H:%M} UTC"
    )
    return words, Severity.CRITICAL if left <= EXPIRES_AT_ONCE else Severity.WARNING


def list_called(settings: Settings) -> dict[str, ContextSource]:
    """Return the contexts that destinations and archives are called with."""
    called = [
        *((f"destination {item.name}", item.tls) for item in settings.destinations),
        *((f"archive {item.name}", item.tls) for item in settings.priors.active_sources),
        ("audit syslog", get_syslog_tls(settings)),
    ]
    return {name: partial(open_client_context, tls) for name, tls in called if tls is not None}


def watch_certificates(
    node: Node, contexts: Mapping[str, ContextSource]
) -> AbstractContextManager[None]:
    """Watch the certificates of some users of TLS, in a thread, while the block runs."""
    watch = CertificateWatch(
        node.tracker.alarms, list_certificate_uses(node.settings), contexts, utc_now
    )
    has_cleared = False

    def check() -> None:
        nonlocal has_cleared
        try:
            if not has_cleared:
                clear_alarms_of_removed(node)
                has_cleared = True
            watch.check()
        except TransientError as error:
            _log.warning("certificates_not_checked", why=str(error))
        except Exception as error:  # noqa: BLE001  (the next look may do better; without one, none would)
            _log.error("certificates_not_checked", error=describe_without_quoting(error))

    return repeat_in_thread(check, "certificates", WATCH_SECONDS)


def clear_alarms_of_removed(node: Node) -> None:
    """Clear the alarms about users of TLS that are no longer in the settings.

    Raises
    ------
    TransientError
        The database cannot be reached.
    """
    users = {use.user for use in list_certificate_uses(node.settings)}
    for alarm in node.tracker.node_queries.list_alarms():
        if alarm.kind in {EXPIRY_ALARM, FILES_ALARM} and alarm.subject not in users:
            node.tracker.alarms.clear_alarm(alarm.kind, alarm.subject, utc_now())
