"""Authorities, as files and as OpenSSL takes them."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from echod.errors import ConfigError
from echod.transport.tls.pem import parse
from echod.transport.tls.trust import authorities, said

from ...support.authority import Authority, issue

AUTHORITY = Authority()


def test_several_files() -> None:
    """All certificates of all files count, and keys beside them do not."""
    other = issue("other")
    files = [
        parse("a", AUTHORITY.root.pem + other.all_pem),
        parse("b", AUTHORITY.root.pem),
    ]
    root = AUTHORITY.root.certificate
    assert (root, other.certificate, root) == authorities(files)
    assert () == authorities([])


def test_file_without_any() -> None:
    """A file without certificates is another than was meant."""
    with pytest.raises(
        ConfigError, match=r"^a has no certificate in it; want those of"
    ):
        authorities([parse("a", AUTHORITY.root.key_pem)])


def test_one_that_openssl_does_not_take() -> None:
    """What OpenSSL does not understand is told at the start."""
    der = AUTHORITY.root.certificate.public_bytes(Encoding.DER)
    # A common name as a VisibleString, which X.520 does not provide for.
    odd = der.replace(b"\x55\x04\x03\x0c", b"\x55\x04\x03\x1a")
    pem = x509.load_der_x509_certificate(odd).public_bytes(Encoding.PEM)
    with pytest.raises(ConfigError) as caught:
        authorities([parse("a", pem)])
    assert "a has an authority that cannot be used: " in str(caught.value)
    assert str(caught.value).endswith("; want X.509 in PEM")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SSL.Error([("lib", "", "one"), ("lib", "", "two")]), "one"),
        (crypto.Error([]), "[]"),
        (SSL.Error(), ""),
        (ValueError("text"), "text"),
    ],
)
def test_what_openssl_says(error: Exception, text: str) -> None:
    """The first reason is what matters."""
    assert text == said(error)
