"""What pairs of files come to, and how that is told."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import ExtensionOID
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from echod.errors import ConfigError
from echod.transport.tls.credential import Credential, NotYetValid
from echod.transport.tls.credentials import describe, load, paths
from echod.transport.tls.pem import PemFile, parse
from echod.transport.tls.profile import make_context
from echod.wire.certificates import Folder, KeyPair

from ...support.authority import DAY, NOW, Authority, Issued, Key, issue, key_pem

AUTHORITY = Authority()
A = AUTHORITY.issue("a.example")
B = AUTHORITY.issue("b.example")

PAIR = KeyPair(private_key="k", certificate="c")


def parsed(**contents: bytes) -> dict[str, PemFile]:
    """Files with this in them."""
    return {path: parse(path, data) for path, data in contents.items()}


def pair(key: bytes = A.key_pem, certificate: bytes = A.pem) -> Credential:
    (found,) = load(PAIR, parsed(k=key, c=certificate))
    return found


def test_chain_in_the_file() -> None:
    """What follows the certificate in its file is its chain."""
    found = pair(certificate=A.pem + A.chain_pem)
    assert ("c", A.certificate) == (found.path, found.certificate)
    assert (AUTHORITY.intermediate.certificate,) == found.chain
    assert A.key_pem == key_pem(found.key)


def test_chain_in_its_own_file() -> None:
    """The rest of the chain may have a file."""
    given_apart = KeyPair(private_key="k", certificate="c", chain="h")
    assert ["k", "c", "h"] == paths(given_apart)
    files = parsed(k=A.key_pem, c=A.pem, h=A.chain_pem + AUTHORITY.root.pem)
    (found,) = load(given_apart, files)
    chain = (AUTHORITY.intermediate.certificate, AUTHORITY.root.certificate)
    assert chain == found.chain


def test_all_in_one_file() -> None:
    """The key and the certificate may be in one file, which is read once."""
    one = KeyPair(private_key="f", certificate="f")
    assert ["f"] == paths(one)
    (found,) = load(one, parsed(f=A.all_pem))
    assert A.certificate == found.certificate


def test_the_key_stays_out_of_texts() -> None:
    """What is printed of a credential does not have its key."""
    assert "PrivateKey" not in repr(pair())


@pytest.mark.parametrize(
    ("key", "certificate", "line"),
    [
        (b"", A.pem, "k has 0 private keys in it; want one"),
        (A.key_pem + B.key_pem, A.pem, "k has 2 private keys in it; want one"),
        (A.key_pem, b"", "c has no certificate in it; want one in PEM"),
        (
            A.key_pem,
            B.pem + A.pem,
            (
                "c has, as its first certificate, one that is not for the key in k; "
                "want the certificate and the key that belong together"
            ),
        ),
    ],
)
def test_wrong(key: bytes, certificate: bytes, line: str) -> None:
    """What is missing, too many or does not belong together is told in one line."""
    with pytest.raises(ConfigError) as caught:
        pair(key, certificate)
    assert line == str(caught.value)


def test_no_chain() -> None:
    """A file of the chain without a certificate is told."""
    given_apart = KeyPair(private_key="k", certificate="c", chain="h")
    with pytest.raises(ConfigError, match=r"^h has no certificate in it; want one"):
        load(given_apart, parsed(k=A.key_pem, c=A.pem, h=A.key_pem))


def test_time() -> None:
    """A certificate is good from its first second to its last."""
    noon = NOW.replace(second=0)  # A second later is the same minute.
    begin, end = noon - DAY, noon + DAY
    found = pair(*parts(issue("a", begin=begin, end=end)))
    found.reject_untimely(begin)
    found.reject_untimely(end)
    now = f"{end:%Y-%m-%d %H:%M UTC}"
    with pytest.raises(ConfigError) as expired:
        found.reject_untimely(end + timedelta(seconds=1))
    assert f"c, for a, expired on {now}; want one that is valid now, {now}" == str(
        expired.value
    )
    with pytest.raises(NotYetValid) as early:
        found.reject_untimely(begin - DAY)
    first, now = (f"{it:%Y-%m-%d %H:%M UTC}" for it in (begin, begin - DAY))
    assert (
        f"c, for a, is not valid before {first}; want one that is valid now, {now}"
        == str(early.value)
    )
    assert begin == early.value.since


def parts(issued: Issued) -> tuple[bytes, bytes]:
    return issued.key_pem, issued.pem


def test_too_weak() -> None:
    """A key that OpenSSL finds too small to prove anything is told at the start."""
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is refused
    found = pair(*parts(issue("a", key=small)))
    reason = "ee key too small"
    with pytest.raises(ConfigError, match=f"^c cannot be used: {reason}; want RSA of"):
        found.use_in(make_context(SSL.TLS_SERVER_METHOD, "intermediate"))


@pytest.mark.parametrize(
    "key", [rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()]
)
def test_strong_enough(key: Key) -> None:
    """Keys that OpenSSL takes are taken."""
    found = pair(*parts(issue("a", key=key)))
    found.use_in(make_context(SSL.TLS_SERVER_METHOD, "modern"))


class TestDescription:
    """What is told of what was loaded."""

    def test_one(self) -> None:
        """The names and the end of the one."""
        end = f"{NOW + 30 * DAY:%Y-%m-%d %H:%M UTC}"
        assert f"certificate for a.example, valid until {end}" == describe((pair(),))

    def test_several(self) -> None:
        """Three of several, and when the first of them all expires."""
        end = f"{NOW + DAY:%Y-%m-%d %H:%M UTC}"
        found = [pair(*parts(issue(it))) for it in "abc"]
        expected = f"3 certificates for a / b / c, the first to expire on {end}"
        soon = pair(*parts(issue("b", end=NOW + DAY)))
        assert expected == describe((found[0], soon, found[2]))
        expected = (
            f"4 certificates for a / b / c / 1 more, the first to expire on {end}"
        )
        assert expected == describe((*found, soon))


@given(st.binary(), st.binary(), st.booleans())
def test_any_bytes(key: bytes, certificate: bytes, is_folder: bool) -> None:
    """Whatever is in the files, it is loaded or a ConfigError of one line."""
    with pytest.raises(ConfigError) as caught:
        load(Folder("f") if is_folder else PAIR, parsed(k=key, c=certificate))
    assert "\n" not in str(caught.value)


@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """A good file with a byte changed is loaded, or a ConfigError of one line."""
    damaged = bytearray(A.all_pem)
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(
        st.integers(0, 255)
    )
    one = KeyPair(private_key="f", certificate="f")
    for certificates in (one, Folder("f")):
        try:
            for it in load(certificates, parsed(f=bytes(damaged))):
                it.use_in(make_context(SSL.TLS_SERVER_METHOD, "modern"))
        except ConfigError as error:
            line = str(error)
        else:
            line = ""
        assert "\n" not in line


def test_nonsense_names() -> None:
    """A certificate whose names make no sense is told at the start."""
    broken = x509.UnrecognizedExtension(
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"nonsense"
    )
    with pytest.raises(
        ConfigError, match=r"^c has a certificate that cannot be read; "
    ):
        pair(*parts(issue(extension=broken)))
