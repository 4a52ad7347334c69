"""Files of keys and certificates, right and wrong."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from echod.errors import ConfigError
from echod.transport.tls.pem import MAX_FILE_BYTES, PemFile, parse, read

from ...support.authority import Authority, Key, issue, key_pem, new_key

ISSUED = Authority().issue("localhost")
ALL_PEM = ISSUED.all_pem


def test_everything_in_one_file() -> None:
    """A key and certificates are found among text and other blocks, in order."""
    other = (
        b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----"
    )
    file = parse("f.pem", b"A comment\n" + other + b"\n" + ALL_PEM)
    assert [ISSUED.key_pem] == [key_pem(it) for it in file.keys]
    assert ISSUED.issuer is not None
    chain = (ISSUED.certificate, ISSUED.issuer.certificate)
    assert PemFile("f.pem", file.keys, chain) == file
    assert "f.pem" == file.place


def test_line_ends_of_other_systems() -> None:
    """CR LF ends lines too."""
    file = parse("f.pem", ALL_PEM.replace(b"\n", b"\r\n"))
    assert (1, 2) == (len(file.keys), len(file.certificates))


def test_the_key_stays_out_of_texts() -> None:
    """What is printed of a file does not have its key."""
    assert "PrivateKey" not in repr(parse("f.pem", ALL_PEM))


@pytest.mark.parametrize(
    "key",
    [
        new_key(),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "P-521", "Ed25519", "RSA"],
)
def test_kinds_of_keys(key: Key) -> None:
    """Keys of the kinds that TLS has signatures for are read, in both forms."""
    assert 1 == len(parse("f.pem", key_pem(key)).keys)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        assert 1 == len(parse("f.pem", key_pem(key, is_old=True)).keys)


KINDS = "an RSA, Ed25519 or P-256, P-384 or P-521 key"


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            key_pem(dsa.generate_private_key(2048)),
            f"f.pem has a key of another kind, DSAPrivateKey; want {KINDS}",
        ),
        (
            key_pem(ec.generate_private_key(ec.SECP256K1())),
            f"f.pem has a key of another kind, secp256k1; want {KINDS}",
        ),
        (
            key_pem(new_key(), b"secret"),
            "f.pem has an encrypted key; want it without a pass phrase",
        ),
        (
            key_pem(new_key(), b"secret", is_old=True),
            "f.pem has an encrypted key; want it without a pass phrase",
        ),
        (
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
            f"f.pem has a key that cannot be read; want {KINDS}",
        ),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "f.pem has a certificate that cannot be read; want X.509 in PEM",
        ),
        (
            ALL_PEM[:-30],
            "f.pem ends in the middle of a PEM block; want all of it",
        ),
    ],
)
def test_what_is_wrong_is_told(data: bytes, line: str) -> None:
    """Each thing that is wrong is told in a line of its own."""
    with pytest.raises(ConfigError) as caught:
        parse("f.pem", data)
    assert line == str(caught.value)


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    """Bytes that are no PEM hold nothing, or are a ConfigError."""
    try:
        assert ((), ()) == (parse("f", data).keys, parse("f", data).certificates)
    except ConfigError as error:
        line = str(error)
    else:
        line = ""
    assert "\n" not in line


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["PRIVATE KEY", "RSA PRIVATE KEY", "CERTIFICATE", "X"]),
            st.binary(max_size=64),
        )
    )
)
def test_any_blocks(blocks: list[tuple[str, bytes]]) -> None:
    """Nor do blocks with anything in them raise anything else."""
    data = b""
    for label, body in blocks:
        begin, end = (f"-----{it} {label}-----\n".encode() for it in ("BEGIN", "END"))
        data += begin + body + b"\n" + end
    try:
        parse("f", data)
    except ConfigError as error:
        line = str(error)
    else:
        line = ""
    assert "\n" not in line


@given(st.data())
def test_any_damage(data: st.DataObject) -> None:
    """Nor does a good file with some bytes changed."""
    damaged = bytearray(ALL_PEM)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        parse("f", bytes(damaged))
    except ConfigError as error:
        line = str(error)
    else:
        line = ""
    assert "\n" not in line


class TestRead:
    """Files that cannot be read."""

    def test_good(self, tmp_path: Path) -> None:
        """What is in a file comes back."""
        path = tmp_path / "f.pem"
        path.write_bytes(b"abc")
        assert b"abc" == read(str(path))

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("absent.pem", "cannot be read: no such file or directory"),
            (".", "is not a file"),
            ("pipe", "is not a file"),
            ("a\0b", "cannot be read: embedded null byte"),
        ],
    )
    def test_bad(self, name: str, reason: str, tmp_path: Path) -> None:
        """What is no file is told, and nothing waits for the other end of a pipe."""
        os.mkfifo(tmp_path / "pipe")
        path = str(tmp_path / name) if name != "." else str(tmp_path)
        with pytest.raises(ConfigError) as caught:
            read(path)
        shown = ascii(path) if "\0" in path else path
        assert f"{shown} {reason}; want a PEM file" == str(caught.value)

    def test_no_rights(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file of another's is told."""

        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        path = tmp_path / "f.pem"
        with pytest.raises(
            ConfigError, match="cannot be read: permission denied; want"
        ):
            read(str(path))

    def test_endless(self) -> None:
        """A device is not read."""
        with pytest.raises(ConfigError, match="/dev/zero is not a file; want"):
            read("/dev/zero")

    def test_too_large(self, tmp_path: Path) -> None:
        """A file that is far too large for what is wanted is not taken for it."""
        path = tmp_path / "f.pem"
        path.write_bytes(bytes(MAX_FILE_BYTES))
        assert MAX_FILE_BYTES == len(read(str(path)))
        path.write_bytes(bytes(MAX_FILE_BYTES + 1))
        with pytest.raises(ConfigError, match=r"f\.pem is over 1048576 bytes; want"):
            read(str(path))


def test_the_tests_certificates() -> None:
    """The tests' own certificates need no issuer."""
    alone = issue("a")
    assert alone.all_pem == alone.key_pem + alone.pem
