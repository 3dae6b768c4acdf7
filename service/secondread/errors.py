"""The error tree, split by what happens next.

SecondreadError
├── SettingsError          a person corrects the settings; commands exit with 2
├── InputError             this input can never be used; it is answered, never retried
│   ├── DataSetError       the encoding of a file or data set is broken, or beyond its limits
│   ├── HeaderError        an attribute is missing or invalid: names tag and keyword, no value
│   └── PixelError         the pixel data cannot be decoded or do not fit the header
├── TransientError         the same call may succeed later; it is retried
│   ├── PeerError          a DICOM peer could not be reached, refused, or answered a failure
│   ├── StorageFullError   the disk has too little room; the sender keeps its copy
│   └── DatabaseDamagedError  a person restores the database; until then senders keep their copies
├── ModelError             manifest, digest or graph of the detector is wrong: nothing is read
├── DetectorDiedError      the detector's child was killed, ran out of time or of memory
├── ReportError            a result object could not be built or failed its own check
├── LeaseLostError         another worker goes on with what this one had begun: it stops
└── TransitionError        an event that the state table does not know in that state: our bug
"""

import errno
from pathlib import Path
from traceback import extract_tb

WRONG_INPUT_STATUS = 2
"""Exit status where what a command was given is wrong: its options, the settings, a file."""

UNAVAILABLE_STATUS = 69
"""Exit status where something outside was not ready (EX_UNAVAILABLE of sysexits.h)."""

UNEXPECTED_STATUS = 70
"""Exit status after an error that nobody expected (EX_SOFTWARE)."""


class SecondreadError(Exception):
    """The base of every error that this package raises on purpose."""


class SettingsError(SecondreadError):
    """The settings are wrong; the message names the key and what it should be."""


class InputError(SecondreadError):
    """An input cannot be used; trying again gives the same answer."""


class DataSetError(InputError):
    """A file is not DICOM, or its data set breaks its encoding; quotes nothing of it."""


class HeaderError(InputError):
    """A header attribute is missing or invalid; its value, a patient's it may be, is not quoted.

    Parameters
    ----------
    keyword
        DICOM keyword of the attribute, for example ``ImagerPixelSpacing``.
    fault
        What is wrong with it, in words of ours: ``absent``.
    rule
        What it should have been.
    """

    def __init__(self, keyword: str, fault: str, rule: str) -> None:
        from pydicom.datadict import tag_for_keyword
        from pydicom.tag import Tag

        number = tag_for_keyword(keyword)
        tag = str(Tag(number)) if number is not None else "(no tag)"
        super().__init__(f"{keyword} {tag} is {fault}: {rule}")
        self.keyword = keyword


class PixelError(InputError):
    """The pixel data cannot be decoded, or do not fit the header."""


class TransientError(SecondreadError):
    """Something outside was not ready; the same call may succeed later. Commands exit with 69."""


class PeerError(TransientError):
    """A DICOM peer could not be reached, refused the association, or answered a failure."""


class StorageFullError(TransientError):
    """Too little room is left on the archive's disk."""


class DatabaseDamagedError(TransientError):
    """The database is damaged: nothing can be done with it until a person restores it."""


class ModelError(SecondreadError):
    """The detector's manifest, digest or graph is wrong."""


class DetectorDiedError(SecondreadError):
    """The detector's child process was killed, ran out of time, or ran out of memory."""


class ReportError(SecondreadError):
    """A result object could not be built, or failed its own check."""


class LeaseLostError(SecondreadError):
    """Another run of the same reading has begun, so this one may write nothing any more."""


class TransitionError(SecondreadError):
    """An event reached a state that has no transition for it."""


_OUTAGES = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.EACCES,
        errno.EPERM,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EAGAIN,
        errno.ESTALE,
        errno.ETIMEDOUT,
        errno.ENODEV,
        errno.ENXIO,
        errno.ENOTCONN,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
    }
)
"""What the operating system answers when a disk, a share or the machine is in trouble."""


def is_outage(error: BaseException) -> bool:
    """Whether an error says that something outside is in trouble, and nothing about an input."""
    if isinstance(error, OSError):
        return error.errno in _OUTAGES
    return isinstance(error, TransientError)


def explain_port(port: str, host: str, error: OSError) -> SettingsError:
    """Return why a port cannot be listened on.

    Parameters
    ----------
    port, host
        Both as the settings name them, each with its value.
    error
        What the system answered.

    Examples
    --------
    >>> error = OSError(errno.EADDRINUSE, "Address already in use")
    >>> explain_port("web.port 8042", "web.host 127.0.0.1", error)
    SettingsError('web.port 8042 (web.host 127.0.0.1) is in use by another program')
    """
    # The number of an unknown name is one of the resolver's, below zero.
    if error.errno == errno.EADDRNOTAVAIL or (error.errno or 0) < 0:
        return SettingsError(f"{host} is no address of this machine")
    if error.errno == errno.EADDRINUSE:
        return SettingsError(f"{port} ({host}) is in use by another program")
    return SettingsError(f"{port} ({host}) cannot be listened on: {error.strerror}")


def describe_without_quoting(error: BaseException) -> str:
    """Return the type of an error and the line that raised it.

    For logs: the text of an error that nobody expected could quote a header, and with it a patient.
    """
    places = list_places(error)
    return f"{type(error).__name__} at {places[-1]}" if places else type(error).__name__


def list_places(error: BaseException) -> list[str]:
    """Return the lines that an error passed, the one that raised it last: a traceback, no text."""
    frames = extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
