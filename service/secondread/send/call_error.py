"""Why a call to a peer came to nothing."""

from secondread.errors import PeerError
from secondread.send.outbox import AnswerKind


class CallError(PeerError):
    """The association could not be had, or ended early.

    Parameters
    ----------
    kind
        What went wrong, coded.
    detail
        The same in words, and what to check.
    """

    def __init__(self, kind: AnswerKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
