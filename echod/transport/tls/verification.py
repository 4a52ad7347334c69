"""Whose certificate is good enough, and what is said of one that is not."""

from OpenSSL import SSL, crypto

from ...errors import EX_PROTOCOL, EchodError
from . import binding
from .identity import Judge

_NOT_TRUSTED = "no authority that is trusted vouches for it"

# Source: x509_vfy.h; those that people meet.
_REASONS = {
    2: _NOT_TRUSTED,
    7: "its signature is wrong",
    9: "it is not valid yet",
    10: "it has expired",
    18: "it signs itself, and is not one of the trusted",
    19: _NOT_TRUSTED,
    20: _NOT_TRUSTED,
    21: _NOT_TRUSTED,
    23: "it has been revoked",
    26: "it is not for this purpose",
    66: "its key is too small",
    67: "an authority's key is too small",
    68: "its signature is too weak",
    79: "an authority in its chain is none",
}


class CertificateRefused(EchodError, SSL.Error):
    """
    The other side has shown a certificate that will not do.

    Args:
        message: the line for the person who can mend it.
        error: what OpenSSL said.
    """

    exit_code = EX_PROTOCOL

    def __init__(self, message: str, error: SSL.Error) -> None:
        super().__init__(*error.args)  # Who looks for OpenSSL's reasons finds them.
        self._message = message

    def __str__(self) -> str:
        return self._message


class VerifyingConnection(SSL.Connection):
    """
    A connection that judges the certificate of the other side in the handshake.

    Args:
        context: one that ``verify`` was called with, or that does not verify.
        judge: asked about the certificate when the chain is right.

    Attributes:
        refusal: why the other side's certificate was refused, in one line.
    """

    def __init__(self, context: SSL.Context, judge: Judge) -> None:
        super().__init__(context, None)
        self.judge = judge
        self.refusal: str | None = None

    def do_handshake(self) -> None:
        """
        As pyOpenSSL's.

        Raises:
            CertificateRefused: instead of the Error that tells no reason.
        """
        try:
            super().do_handshake()
        except SSL.Error as error:
            if self.refusal is None:
                raise
            raise CertificateRefused(self.refusal, error) from error


def verify(context: SSL.Context, mode: int) -> None:
    """
    Let ``context`` verify the certificates of the other sides of its connections, which
    must be instances of ``VerifyingConnection``.

    Args:
        context: one that has no connections yet.
        mode: as for pyOpenSSL's ``set_verify``.
    """
    context.set_verify(mode, _decide)
    binding.tell_refusals(context, mode)


def _decide(
    connection: SSL.Connection, peer: crypto.X509, error: int, depth: int, ok: int
) -> bool:
    # Nothing may be raised here: pyOpenSSL keeps it, and raises it in whichever
    # connection of the context fails next.
    assert isinstance(connection, VerifyingConnection)  # See ``verify``.
    refusal: str | None
    if not ok:
        reason = _REASONS.get(error, f"OpenSSL's reason {error}")
        is_itself = depth == 0 or reason is _NOT_TRUSTED
        which = "" if is_itself else f", number {depth} of its chain,"
        refusal = f"certificate{which} is refused: {reason}"
    else:
        refusal = _judged(connection, peer) if depth == 0 else None
    connection.refusal = refusal
    return refusal is None


def _judged(connection: VerifyingConnection, peer: crypto.X509) -> str | None:
    try:
        return connection.judge(peer.to_cryptography())
    except Exception:  # noqa: BLE001 - the parser has several ways to say it
        return "certificate is refused: it makes no sense"
