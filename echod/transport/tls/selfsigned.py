"""A certificate that signs itself, for a first try."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ...errors import BadValue
from ...wire import address
from .identity import is_address, server_name

#: Whom a server on one's own machine is called by.
NAMES = ("localhost", "127.0.0.1", "::1")

#: The guideline's longest for its modern profile, and its advice for all of them.
DAYS = 90

#: The guideline's longest for its intermediate profile.
MOST_DAYS = 366

# The clocks of two machines differ, and certificates are often tried at once.
_EARLY = timedelta(hours=1)

# The upper bound of a common name (RFC 5280 appendix A.1).
_COMMON_NAME_CHARACTERS = 64


@frozen(kw_only=True)
class SelfSigned:
    """
    A new key and its certificate, as PEM.

    Args:
        key: to be kept secret.
        certificate: for those who are to trust it.
        names: what it is for.
        until: when it expires.
        fingerprint: the SHA-256 of it, as other programs write it.
    """

    key: bytes = field(repr=False)
    certificate: bytes
    names: tuple[str, ...]
    until: datetime
    fingerprint: str


def make(names: Iterable[str], days: int, now: datetime) -> SelfSigned:
    """
    Args:
        names: host names, with ``*`` for a first label perhaps, and IP addresses; at
            least one.
        days: for how long, from 1 to ``MOST_DAYS``.
        now: its begin, less an hour.

    Returns:
        A pair for a server; a client may show it as well.

    Raises:
        BadValue: a name can be in no certificate, or the days are too many.
    """
    if not 1 <= days <= MOST_DAYS:
        raise BadValue("--days", days, f"1 to {MOST_DAYS}")
    usual = tuple(dict.fromkeys(map(_usual, names)))
    key = ec.generate_private_key(ec.SECP256R1())
    until = now + timedelta(days=days)
    certificate = _sign(key, usual, now - _EARLY, until)
    digest = certificate.fingerprint(hashes.SHA256())
    return SelfSigned(
        key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        certificate=certificate.public_bytes(Encoding.PEM),
        names=usual,
        until=until,
        fingerprint=digest.hex(":").upper(),
    )


def _usual(name: str) -> str:
    star, rest = ("*.", name[2:]) if name.startswith("*.") else ("", name)
    wanted = "a host name or an IP address without a zone"
    host = address.host(rest, "--name")
    if not host or "%" in host or (star and is_address(host)):
        raise BadValue("--name", name, wanted)
    return star + server_name(host).lower()


def _sign(
    key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...],
    begin: datetime,
    end: datetime,
) -> x509.Certificate:
    common = names[0] if len(names[0]) <= _COMMON_NAME_CHARACTERS else "echod"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    serial = x509.random_serial_number()
    public = key.public_key()
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    every = x509.SubjectAlternativeName([_general_name(it) for it in names])
    return (
        x509.CertificateBuilder(subject, subject, public, serial, begin, end)
        .add_extension(every, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .sign(key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    if is_address(name):
        return x509.IPAddress(ip_address(name))
    return x509.DNSName(name)
