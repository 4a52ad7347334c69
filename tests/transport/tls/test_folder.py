"""Folders of certificates: which files count, and what belongs together."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from echod.errors import ConfigError
from echod.transport.tls.credential import Credential
from echod.transport.tls.credentials import load, paths
from echod.transport.tls.folder import MAX_FILES
from echod.transport.tls.pem import load_file
from echod.wire.certificates import Folder

from ...support.authority import NOW, Authority, issue, key_pem

AUTHORITY = Authority()
A = AUTHORITY.issue("a.example", "www.a.example")
B = AUTHORITY.issue("b.example")

WANTED = "a folder of .pem files, each with a key and its certificate"


def loaded(folder: Path, files: Mapping[str, bytes]) -> tuple[Credential, ...]:
    """What a folder with these files comes to."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(data)
    there = Folder(str(folder))
    return load(there, {path: load_file(path) for path in paths(there)})


def hosts(found: tuple[Credential, ...]) -> list[str]:
    return [it.names.hosts[0] for it in found]


def test_one_file_for_each(tmp_path: Path) -> None:
    """Key, certificate and chain in a file; the first by name is for the others."""
    found = loaded(tmp_path, {"2.pem": A.all_pem, "1.pem": B.all_pem})
    assert ["b.example", "a.example"] == hosts(found)
    assert [str(tmp_path / "1.pem"), str(tmp_path / "2.pem")] == [
        it.path for it in found
    ]
    assert (AUTHORITY.intermediate.certificate,) == found[0].chain
    assert [B.key_pem, A.key_pem] == [key_pem(it.key) for it in found]


def test_key_apart(tmp_path: Path) -> None:
    """A certificate is found by its key, in files and folders as certbot has them."""
    found = loaded(
        tmp_path,
        {
            "a.example/privkey.pem": A.key_pem,
            "a.example/cert.pem": A.pem,
            "a.example/chain.pem": A.chain_pem,
            "a.example/fullchain.pem": A.pem + A.chain_pem,
            "b.example/privkey.pem": B.key_pem,
            "b.example/fullchain.pem": B.pem + B.chain_pem,
        },
    )
    assert ["a.example", "b.example"] == hosts(found)
    assert [(AUTHORITY.intermediate.certificate,)] * 2 == [it.chain for it in found]


def test_other_files_do_not_count(tmp_path: Path) -> None:
    """Files of other names, hidden ones and those in hidden folders are not read."""
    others = ["README", "a.pem.bak", ".old.pem", "..2026/a.pem"]
    files = dict.fromkeys(others, b"-----BEGIN nonsense") | {"a.pem": A.all_pem}
    assert ["a.example"] == hosts(loaded(tmp_path, files))


def test_root_is_not_sent(tmp_path: Path) -> None:
    """The root ends the chain, and is no part of it."""
    found = loaded(tmp_path, {"a.pem": A.all_pem, "root.pem": AUTHORITY.root.pem})
    assert (AUTHORITY.intermediate.certificate,) == found[0].chain


def test_chain_of_ones_own_file(tmp_path: Path) -> None:
    """Of two certificates of one authority the one in the same file is sent."""
    middle = AUTHORITY.intermediate
    other = issue(
        common_name="Test Intermediate",
        key=middle.key,
        is_authority=True,
        by=Authority("Other").root,
    )
    found = loaded(
        tmp_path, {"a.pem": other.pem, "b.pem": A.key_pem + A.pem + middle.pem}
    )
    assert (middle.certificate,) == found[0].chain
    found = loaded(tmp_path, {"b.pem": A.key_pem + A.pem, "c.pem": middle.pem})
    assert (other.certificate,) == found[0].chain


def test_authority_of_the_same_name(tmp_path: Path) -> None:
    """Who has the name of an authority, and not its key, is in no chain."""
    namesake = Authority().intermediate
    assert namesake.certificate.subject == AUTHORITY.intermediate.certificate.subject
    (found,) = loaded(tmp_path, {"1.pem": namesake.pem, "2.pem": A.key_pem + A.pem})
    assert () == found.chain


def test_authorities_that_signed_one_another(tmp_path: Path) -> None:
    """A chain that leads back to its begin has an end."""
    one = issue(common_name="One", is_authority=True)
    two = issue(common_name="Two", is_authority=True, by=one)
    back = issue(common_name="One", key=one.key, is_authority=True, by=two)
    leaf = issue("a.example", by=two)
    files = {"a.pem": leaf.key_pem + leaf.pem + two.pem + back.pem}
    assert (two.certificate, back.certificate) == loaded(tmp_path, files)[0].chain


def test_same_certificate_twice(tmp_path: Path) -> None:
    """A copy is no second certificate for the name."""
    files = {"a.pem": A.all_pem, "copy.pem": A.all_pem}
    assert ["a.example"] == hosts(loaded(tmp_path, files))


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({}, f"DIR has no .pem file in it; want {WANTED}"),
        ({"a.crt": A.all_pem}, f"DIR has no .pem file in it; want {WANTED}"),
        ({"a.pem": b"nothing"}, f"DIR has no key in it; want {WANTED}"),
        ({"a.pem": AUTHORITY.root.pem}, f"DIR has no key in it; want {WANTED}"),
        (
            {"a.pem": A.all_pem, "b.pem": B.key_pem},
            "DIR/b.pem has a key whose certificate is not in the folder; want both",
        ),
        (
            {"a.pem": A.all_pem, "b.pem": B.pem},
            "DIR/b.pem has a certificate whose key is not in the folder; want both",
        ),
        (
            {"a.pem": A.key_pem + B.pem},
            "DIR/a.pem has a certificate whose key is not in the folder; want both",
        ),
        (
            {"a.pem": A.all_pem, "b.pem": issue("c", "WWW.A.example").all_pem},
            (
                "DIR/a.pem and DIR/b.pem are both for www.a.example; "
                "want one certificate for a name"
            ),
        ),
    ],
)
def test_wrong(files: Mapping[str, bytes], line: str, tmp_path: Path) -> None:
    """What cannot be served from, or could be in two ways, is told in one line."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, files)
    assert line == str(caught.value).replace(str(tmp_path), "DIR")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent", "no such file or directory"),
        ("file", "not a directory"),
        ("a\0b", "embedded null byte"),
    ],
)
def test_no_folder(name: str, reason: str, tmp_path: Path) -> None:
    """What is no folder is told."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=f"cannot be read: {reason}; want a folder"):
        paths(Folder(str(tmp_path / name)))


def test_folder_within_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No certificate is left out because its folder cannot be read."""
    (tmp_path / "a.pem").write_bytes(A.all_pem)
    (tmp_path / "within").mkdir()
    scan = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("within"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ConfigError, match="cannot be read: permission denied; want"):
        paths(Folder(str(tmp_path)))


def test_very_many_files(tmp_path: Path) -> None:
    """A folder with too many files is another than was meant."""
    for number in range(MAX_FILES + 1):
        (tmp_path / f"{number}.pem").touch()
    with pytest.raises(ConfigError, match=r"has over 1000 \.pem files; want fewer"):
        paths(Folder(str(tmp_path)))


def test_a_key_nobody_knows(tmp_path: Path) -> None:
    """A certificate for a kind of key that is not known is one without its key."""
    leaf = issue("a.example", key=ec.generate_private_key(ec.SECP256K1()), end=NOW)
    files = {"a.pem": A.all_pem, "b.pem": leaf.pem}
    with pytest.raises(ConfigError, match="certificate whose key is not in"):
        loaded(tmp_path, files)


def test_certificate_that_says_little(tmp_path: Path) -> None:
    """One that does not say whether it is an authority is none."""
    old = x509.CertificateBuilder(
        A.certificate.subject,
        A.certificate.subject,
        B.key.public_key(),
        1,
        NOW,
        NOW,
    )
    leaf = old.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    data = leaf.public_bytes(serialization.Encoding.PEM)
    with pytest.raises(ConfigError, match="certificate whose key is not in"):
        loaded(tmp_path, {"a.pem": A.all_pem, "b.pem": data})
