"""Why a TLS connection fails."""

from typing import Literal

from OpenSSL import SSL

from ...errors import CannotReach, EchodError

#: Why there was no handshake:
#:
#: - ``alert``: the peer refused us.
#: - ``certificate``: the peer's certificate is missing, not trusted, or another's.
#: - ``cipher``: no cipher, group or signature that both know.
#: - ``closed``: the peer went away.
#: - ``garbage``: the peer does not speak TLS, but HTTP for example.
#: - ``late``: it took too long.
#: - ``size``: the peer sent too much.
#: - ``stopped``: this end gave up, because the service ends.
#: - ``version``: no version of TLS that both know.
#: - ``other``: all else.
Reason = Literal[
    "alert",
    "certificate",
    "cipher",
    "closed",
    "garbage",
    "late",
    "size",
    "stopped",
    "version",
    "other",
]

# What OpenSSL's words for an error contain, by the first that fits. Its names of
# alerts contain names of what they are about.
_WORDS: tuple[tuple[str, Reason], ...] = (
    (" alert ", "alert"),
    ("http", "garbage"),
    ("wrong version number", "garbage"),
    ("record layer failure", "garbage"),
    ("unexpected message", "garbage"),
    ("length", "garbage"),
    ("protocol", "version"),
    ("version", "version"),
    ("inappropriate fallback", "version"),
    ("cipher", "cipher"),
    ("no shared", "cipher"),
    ("no suitable", "cipher"),
    ("certificate", "certificate"),
)


class HandshakeFailed(CannotReach):
    """
    The TLS handshake was not completed.

    Args:
        reason: one word for it.
        detail: what there is to know, in OpenSSL's words where it said something.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"the TLS handshake failed: {detail}")
        self.reason = reason
        self.detail = detail


def handshake_failed(error: SSL.Error) -> HandshakeFailed:
    """
    Args:
        error: what the handshake raised; one of echod's own says more than OpenSSL.
    """
    if isinstance(error, SSL.ZeroReturnError):
        return closed()
    words = said(error)
    detail = str(error) if isinstance(error, EchodError) else words
    fitting = (reason for pattern, reason in _WORDS if pattern in words)
    return HandshakeFailed(next(fitting, "other"), detail)


def closed() -> HandshakeFailed:
    """The peer has gone away."""
    return HandshakeFailed("closed", "the peer closed the connection")


def said(error: SSL.Error) -> str:
    """
    Returns:
        What OpenSSL said of an error, in lower case and one line.
    """
    entries = error.args[0] if error.args else []
    if not isinstance(entries, list):  # A SysCallError has a number and a text.
        return " ".join(str(it) for it in error.args).lower()
    return ", ".join(it[-1] for it in entries).lower() or "openssl gave no reason"
