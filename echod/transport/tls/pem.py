"""PEM files: keys and certificates as text (RFC 7468)."""

import errno
import os
import stat
from collections.abc import Iterator

from attrs import field, frozen
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ...errors import ConfigError, explain, shown

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

# The bundle of all the authorities that browsers trust has a quarter of that.
MAX_FILE_BYTES = 1024 * 1024

# TLS 1.3 has signatures for these and no others (RFC 8446 section 4.2.3).
_CURVES = ("secp256r1", "secp384r1", "secp521r1")

_KEY_KINDS = "an RSA, Ed25519 or P-256, P-384 or P-521 key"

_CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")


@frozen
class PemFile:
    """
    What one file holds.

    Args:
        path: its name.
        keys: the private keys in it.
        certificates: those in it, in their order.
    """

    path: str
    keys: tuple[PrivateKey, ...] = field(repr=False)
    certificates: tuple[x509.Certificate, ...]

    @property
    def place(self) -> str:
        """Its name as it may stand in a message."""
        return shown(self.path)


def load_file(path: str) -> PemFile:
    """
    Returns:
        What is in the file.

    Raises:
        ConfigError: it cannot be read, or some of it cannot be used.
    """
    return parse(path, read(path))


def read(path: str) -> bytes:
    """
    Returns:
        What is in the file.

    Raises:
        ConfigError: it cannot be read, is no file, or is far too large.
    """
    try:
        # A pipe would keep whoever opens it waiting.
        with open(path, "rb", opener=_open_at_once) as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise ConfigError(f"{shown(path)} is not a file; want a PEM file")
            data = opened.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name.
        # Opening a directory succeeds in the system's words, and in Python's not.
        is_folder = getattr(error, "errno", None) == errno.EISDIR
        reason = "is not a file" if is_folder else f"cannot be read: {explain(error)}"
        raise ConfigError(f"{shown(path)} {reason}; want a PEM file") from error
    if len(data) > MAX_FILE_BYTES:
        msg = f"{shown(path)} is over {MAX_FILE_BYTES} bytes; want a PEM file"
        raise ConfigError(msg)
    return data


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def parse(path: str, data: bytes) -> PemFile:
    """
    Args:
        path: the name of the file that ``data`` is from.
        data: PEM; what is neither a key nor a certificate in it is passed over.

    Returns:
        What is in it.

    Raises:
        ConfigError: some of it is no PEM, or no key or certificate that can be used.
    """
    keys: list[PrivateKey] = []
    certificates: list[x509.Certificate] = []
    for label, block in _blocks(path, data):
        if label.endswith("PRIVATE KEY"):
            keys.append(_key(path, block))
        elif label in _CERTIFICATE_LABELS:
            certificates.append(_certificate(path, block))
    return PemFile(path, tuple(keys), tuple(certificates))


def _blocks(path: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    for rest in data.split(b"-----BEGIN ")[1:]:
        label = rest.partition(b"-----")[0]
        end = b"-----END " + label + b"-----"
        body, is_ended, _ = rest.partition(end)
        if not is_ended:
            # A file that somebody is in the midst of writing looks like this too.
            msg = f"{shown(path)} ends in the middle of a PEM block; want all of it"
            raise ConfigError(msg)
        yield label.decode("ascii", "replace"), b"-----BEGIN " + body + end + b"\n"


def _key(path: str, block: bytes) -> PrivateKey:
    if b"ENCRYPTED" in block:
        msg = f"{shown(path)} has an encrypted key; want it without a pass phrase"
        raise ConfigError(msg)
    try:
        key = load_pem_private_key(block, None)
    except Exception as error:
        # Whatever the parser raises is about what it was given.
        msg = f"{shown(path)} has a key that cannot be read; want {_KEY_KINDS}"
        raise ConfigError(msg) from error
    is_curve_fine = (
        not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name in _CURVES
    )
    if not isinstance(key, PrivateKey) or not is_curve_fine:
        kind = getattr(getattr(key, "curve", None), "name", type(key).__name__)
        msg = f"{shown(path)} has a key of another kind, {kind}; want {_KEY_KINDS}"
        raise ConfigError(msg)
    return key


def _certificate(path: str, block: bytes) -> x509.Certificate:
    try:
        certificate = x509.load_pem_x509_certificate(block)
        certificate.subject, certificate.issuer  # noqa: B018 - parsed only when asked
    except Exception as error:
        raise unreadable(path) from error
    return certificate


def unreadable(path: str) -> ConfigError:
    """The error that a certificate in the file cannot be understood."""
    msg = f"{shown(path)} has a certificate that cannot be read; want X.509 in PEM"
    return ConfigError(msg)
