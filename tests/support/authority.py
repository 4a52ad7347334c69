"""An authority of the tests' own, and the certificates that it signs."""

import datetime as dt
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: When the tests of certificates take place, unless they say otherwise. A real day, for
#: OpenSSL has a clock of its own.
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)

Key = (
    ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | rsa.RSAPrivateKey
    | dsa.DSAPrivateKey
)


def new_key() -> Key:
    """One of the kind that is made fastest."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key, password: bytes = b"", *, is_old: bool = False) -> bytes:
    """The key in PKCS #8, or as OpenSSL wrote it before."""
    kind = serialization.PrivateFormat
    best = serialization.BestAvailableEncryption(password) if password else None
    return key.private_bytes(
        serialization.Encoding.PEM,
        kind.TraditionalOpenSSL if is_old else kind.PKCS8,
        best or serialization.NoEncryption(),
    )


def general_name(name: str) -> x509.GeneralName:
    """A name as certificates have it, by its form."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        if "://" in name:
            return x509.UniformResourceIdentifier(name)
        return x509.RFC822Name(name) if "@" in name else x509.DNSName(name)


@frozen
class Issued:
    """
    A certificate and its key.

    Args:
        key: the private one.
        certificate: for it.
        issuer: who has signed it; None for itself.
    """

    key: Key
    certificate: x509.Certificate
    issuer: "Issued | None" = None

    @property
    def key_pem(self) -> bytes:
        """The key as PEM."""
        return key_pem(self.key)

    @property
    def pem(self) -> bytes:
        """The certificate alone as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """Those that lead from it to the root, which is left out, as PEM."""
        if self.issuer is None or self.issuer.issuer is None:
            return b""
        return self.issuer.pem + self.issuer.chain_pem

    @property
    def all_pem(self) -> bytes:
        """Key, certificate and chain as PEM."""
        return self.key_pem + self.pem + self.chain_pem

    def write(self, folder: Path, name: str) -> tuple[str, str]:
        """Write ``name.key`` and ``name.crt``, the latter with the chain."""
        key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
        key.write_bytes(self.key_pem)
        certificate.write_bytes(self.pem + self.chain_pem)
        return str(key), str(certificate)


def issue(  # noqa: PLR0913 - a certificate has so many sides
    *names: str,
    by: Issued | None = None,
    key: Any = None,
    is_authority: bool = False,
    begin: dt.datetime = NOW - DAY,
    end: dt.datetime = NOW + 30 * DAY,
    purposes: tuple[x509.ObjectIdentifier, ...] = (
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    ),
    common_name: str = "",
    extension: x509.ExtensionType | None = None,
) -> Issued:
    """
    Args:
        names: what it is for, in the order of its subjectAltName; none for no such.
        by: who signs it; itself unless given.
        key: the private key; a new one unless given.
        is_authority: whether it may sign others.
        begin: of its time.
        end: of its time.
        purposes: its extended key usage; none for no such.
        common_name: of its subject; the first of its names unless given.
        extension: one more.
    """
    key = key or new_key()
    signer = by.key if by else key
    common = common_name or (names[0] if names else "nameless")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    public = key.public_key()
    builder = (
        x509.CertificateBuilder(
            by.certificate.subject if by else subject, subject, public
        )
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            critical=False,
        )
        .add_extension(_usage(is_authority=is_authority), critical=True)
    )
    if names:
        every = x509.SubjectAlternativeName([general_name(it) for it in names])
        builder = builder.add_extension(every, critical=False)
    if purposes and not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if extension is not None:
        builder = builder.add_extension(extension, critical=False)
    is_digest_built_in = isinstance(signer, ed25519.Ed25519PrivateKey)
    digest = None if is_digest_built_in else hashes.SHA256()
    return Issued(key, builder.sign(signer, digest), by)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


class Authority:
    """
    A root, and what signs in its name.

    Attributes:
        root: whom everybody trusts.
        intermediate: signed by the root; it signs the others.
    """

    def __init__(self, name: str = "Test") -> None:
        self.root = issue(common_name=f"{name} Root", is_authority=True)
        self.intermediate = issue(
            common_name=f"{name} Intermediate", is_authority=True, by=self.root
        )

    def issue(self, *names: str, **how: Any) -> Issued:
        """A certificate for ``names``; see the function."""
        return issue(*names, by=self.intermediate, **how)

    def write(self, folder: Path, name: str = "ca.crt") -> str:
        """Write the root as PEM."""
        path = folder / name
        path.write_bytes(self.root.pem)
        return str(path)


def spoilt(issued: Issued) -> Issued:
    """The same with a signature that nobody made."""
    der = issued.certificate.public_bytes(serialization.Encoding.DER)
    other = der[:-1] + bytes([der[-1] ^ 1])
    return evolve(issued, certificate=x509.load_der_x509_certificate(other))
