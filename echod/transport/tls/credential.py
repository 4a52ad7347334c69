"""A certificate, and the key that proves it."""

from collections.abc import Iterable
from datetime import datetime

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import SSL, crypto

from ...errors import ConfigError, shown
from .names import Names, names
from .pem import PrivateKey, unreadable
from .trust import said

_TIME = "%Y-%m-%d %H:%M UTC"


class NotYetValid(ConfigError):
    """
    The time of a certificate has not come.

    Args:
        message: the line for the person who can mend it.
        since: when it will have.
    """

    def __init__(self, message: str, since: datetime) -> None:
        super().__init__(message)
        self.since = since


@frozen(kw_only=True)
class Credential:
    """
    What one side of a connection shows of itself.

    Args:
        path: the name of the certificate's file.
        key: the private key.
        certificate: for the public half of it.
        chain: the certificates from there to an authority.
        names: what the certificate is for.
    """

    path: str
    key: PrivateKey = field(repr=False)
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    names: Names

    def reject_untimely(self, now: datetime) -> None:
        """
        Raises:
            NotYetValid: the certificate is of the future.
            ConfigError: it is of the past.
        """
        begin = self.certificate.not_valid_before_utc
        place = f"{shown(self.path)}, for {self.names},"
        wanted = f"want one that is valid now, {now:{_TIME}}"
        if self.certificate.not_valid_after_utc < now:
            raise ConfigError(f"{place} expired on {self.until}; {wanted}")
        if begin > now:
            msg = f"{place} is not valid before {begin:{_TIME}}; {wanted}"
            raise NotYetValid(msg, begin)

    def use_in(self, context: SSL.Context) -> None:
        """
        Let the connections of ``context`` show this.

        Raises:
            ConfigError: OpenSSL does not take it.
        """
        try:
            context.use_certificate(self.certificate)
            for certificate in self.chain:
                context.add_extra_chain_cert(certificate)
            context.use_privatekey(self.key)
        except (SSL.Error, crypto.Error, ValueError) as error:
            wanted = "RSA of 2048 bits or more, or a P-256 key, signed with SHA-256"
            reason = f"cannot be used: {said(error)}"
            raise ConfigError(f"{shown(self.path)} {reason}; want {wanted}") from error

    @property
    def until(self) -> str:
        """When the certificate expires, as text."""
        return f"{self.certificate.not_valid_after_utc:{_TIME}}"


def credential(
    path: str,
    key: PrivateKey,
    certificate: x509.Certificate,
    chain: Iterable[x509.Certificate],
) -> Credential:
    """
    Args:
        path: the name of the certificate's file.
        key: the key that belongs to it.
        certificate: the one that proves who is there.
        chain: those from there to an authority.

    Returns:
        The four together.

    Raises:
        ConfigError: the certificate's names make no sense.
    """
    try:
        found = names(certificate)
    except ValueError as error:
        raise unreadable(path) from error
    return Credential(
        path=path, key=key, certificate=certificate, chain=tuple(chain), names=found
    )


def proves(key: PrivateKey, certificate: x509.Certificate) -> bool:
    """Whether ``certificate`` is for ``key``."""
    return public_bytes(key) == public_bytes(certificate)


def public_bytes(holder: PrivateKey | x509.Certificate) -> bytes:
    """
    Returns:
        The public key of a private key or of a certificate, as the latter have it;
        empty for a kind of key that is not known here, which matches none.
    """
    try:
        return holder.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
    except Exception:  # noqa: BLE001 - the parser has several ways to say it
        return b""
