"""Certificates that sign themselves."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from echod.errors import BadValue
from echod.transport.tls.client import client_connection
from echod.transport.tls.context import ServerContexts, TlsTerms
from echod.transport.tls.names import Names, names
from echod.transport.tls.selfsigned import DAYS, NAMES, SelfSigned, make
from echod.wire.certificates import KeyPair

from ...support.authority import DAY, NOW
from ...support.handshake import shake


def parsed(made: SelfSigned) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made.certificate)


@pytest.mark.parametrize("host", NAMES)
def test_first_try(host: str, tmp_path: Path) -> None:
    """A server with the pair is believed by a client that has the certificate."""
    made = make(NAMES, DAYS, NOW)
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    key.write_bytes(made.key)
    certificate.write_bytes(made.certificate)
    files = KeyPair(private_key=str(key), certificate=str(certificate))
    serving = ServerContexts(files, TlsTerms(profile="modern"), lambda: NOW)
    own = client_connection(host, ca=str(certificate))
    assert shake(own, serving.connection()).is_done
    assert not shake(client_connection(host), serving.connection()).is_done


def test_it_may_stand_for_a_client(tmp_path: Path) -> None:
    """The same pair will do to try clients' certificates."""
    made = make(NAMES, DAYS, NOW)
    path = tmp_path / "both"
    path.write_bytes(made.key + made.certificate)
    files = KeyPair(private_key=str(path), certificate=str(path))
    terms = TlsTerms(
        client_certificates="required",
        client_ca=str(path),
        client_names=("localhost",),
    )
    serving = ServerContexts(files, terms, lambda: NOW)
    own = client_connection("localhost", ca=str(path), key_pair=files)
    assert shake(own, serving.connection()).is_done


def test_what_it_is() -> None:
    """P-256, no authority, valid at once and for 90 days: as the guideline has it."""
    made = make(("A.example", "*.b.example", "10.1", "A.example"), DAYS, NOW)
    certificate = parsed(made)
    hosts = ("a.example", "*.b.example")
    assert Names(hosts=hosts, addresses=("10.0.0.1",)) == names(certificate)
    assert (*hosts, "10.0.0.1") == made.names
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert "secp256r1" == key.curve.name
    extensions = certificate.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert timedelta(hours=1) == NOW - certificate.not_valid_before_utc
    assert 90 * DAY == certificate.not_valid_after_utc - NOW
    assert made.until == certificate.not_valid_after_utc
    assert "PRIVATE" not in repr(made)


def test_fingerprint() -> None:
    """The fingerprint is written as OpenSSL and browsers do."""
    made = make(("a",), 1, NOW)
    assert 32 == len(made.fingerprint.split(":"))
    assert made.fingerprint == made.fingerprint.upper()


def test_long_name() -> None:
    """A name that is too long for a common name is one all the same."""
    name = f"{'a' * 60}.example"
    assert (name,) == names(parsed(make((name,), 1, NOW))).hosts


@pytest.mark.parametrize(
    "name",
    ["", "a b", "*", "*.", "*.127.0.0.1", "fe80::1%lo", "a/b", "127.0.0.256", "a@b"],
)
def test_impossible_names(name: str) -> None:
    """What can be in no server's certificate is a wrong value."""
    with pytest.raises(BadValue, match=r"^--name is "):
        make((name,), 1, NOW)


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_impossible_days(days: int) -> None:
    """A certificate holds for as long as the guideline lets it."""
    with pytest.raises(BadValue, match=f"^--days is {days}; want 1 to 366$"):
        make(("a",), days, NOW)


@pytest.mark.parametrize("days", [1, 366])
def test_possible_days(days: int) -> None:
    """From a day to a year."""
    assert NOW + days * DAY == make(("a",), days, NOW).until
