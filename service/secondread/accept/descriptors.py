"""File descriptors of this process: enough of them, or a clear word at the start."""

import resource
from typing import Final

from secondread.errors import SettingsError

_FILES_EACH: Final = 2
"""Of one connection: its socket, and the file that a data set goes to."""
_OTHER_FILES: Final = 256
"""Database connections, models, logs, libraries, the probe's server."""


def provide_descriptors(connections: int) -> None:
    """See to it that so many connections may be open at the same time.

    The limit of the process is raised as far as the machine allows.

    Raises
    ------
    SettingsError
        The machine does not allow enough.
    """
    needed = connections * _FILES_EACH + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SettingsError(
            f"receive.maximum_associations: {needed} file descriptors are needed for it, and this "
            f"process may open {hard}; lower it, or raise the limit (ulimit -n, LimitNOFILE=)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
