"""``echod certificate``."""

import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from echod.command import certificate, output
from echod.errors import EX_CANTCREAT, EX_USAGE, BrokenPipe, CannotStart, EchodError
from echod.transport.tls.client import client_connection
from echod.transport.tls.context import ServerContexts, TlsTerms
from echod.wire import description
from echod.wire.certificates import Certificates, Folder, KeyPair

from ..support.authority import NOW
from ..support.handshake import shake

KEY, CERTIFICATE = "echod-key.pem", "echod-certificate.pem"

#: What the command says: the value of each line by its name.
Run = Callable[..., dict[str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command with these words in a folder of its own."""
    said: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(output, "answer", said.append)

    def run(*words: str) -> dict[str, str]:
        certificate.certificate.main([*words], standalone_mode=False)
        return dict(line.split(": ", 1) for line in said.pop().splitlines())

    return run


def there(folder: str = ".") -> set[str]:
    """The names of the files in a folder."""
    return {it.name for it in Path(folder).iterdir()}


def mode(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


def assert_works(told: dict[str, str]) -> None:
    """What the command says to run next does what it says."""
    listen = shlex.split(told["Server"])[-1]
    positional, named = description.split(listen)
    certificates: Certificates
    if positional[0] == "ssl":
        key, certificate = named["privateKey"], named["certKey"]
        certificates = KeyPair(private_key=key, certificate=certificate)
    else:
        certificates = Folder(positional[1])
    serving = ServerContexts(certificates, TlsTerms(), lambda: NOW)
    *_, ca, target = shlex.split(told["Client"])
    host = target.removeprefix("tls:").removesuffix(":65432").strip("[]")
    assert shake(client_connection(host, ca=ca), serving.connection()).is_done


def test_first_try(run: Run) -> None:
    """Without options there are two files, and words that work with them."""
    told = run()
    assert ["Key", "Certificate", "For", "Valid until"] == [*told][:4]
    assert f"{KEY}, for its owner's eyes only" == told["Key"]
    assert CERTIFICATE == told["Certificate"]
    assert "localhost, 127.0.0.1, ::1" == told["For"]
    listen = f"ssl:65432:privateKey={KEY}:certKey={CERTIFICATE}"
    assert f"echod serve --listen {listen}" == told["Server"]
    assert f"echod send --ca {CERTIFICATE} tls:localhost:65432" == told["Client"]
    assert_works(told)
    written = x509.load_pem_x509_certificate(Path(CERTIFICATE).read_bytes())
    digest = written.fingerprint(hashes.SHA256())
    assert digest.hex(":").upper() == told["SHA-256 fingerprint"]
    assert f"{written.not_valid_after_utc:%Y-%m-%d %H:%M UTC}" == told["Valid until"]


def test_only_the_owner_reads_the_key(run: Run) -> None:
    """Whatever the umask, the key is its owner's, and the certificate everybody's."""
    before = os.umask(0)
    try:
        run()
    finally:
        os.umask(before)
    assert (0o600, 0o644) == (mode(KEY), mode(CERTIFICATE))
    assert {KEY, CERTIFICATE} == there()


def test_folder(run: Run) -> None:
    """A folder is made, and gets a file for the server and one for clients."""
    told = run("--folder", "f", "--name", "A.example", "--name", "::1")
    assert {"a.example.pem", "a.example.crt"} == there("f")
    assert (0o700, 0o600) == (mode("f"), mode("f/a.example.pem"))
    assert b"PRIVATE" not in Path("f/a.example.crt").read_bytes()
    assert "echod serve --listen tls:f:65432" == told["Server"]
    assert_works(told)
    assert_works(run("--folder", "f", "--name", "b.example"))


@pytest.mark.parametrize(
    ("name", "file", "target"),
    [
        ("*.a.example", "_.a.example.pem", "tls:www.a.example:65432"),
        ("::1", "::1.pem", "'tls:[::1]:65432'"),
        ("b\u00fccher.example", "xn--bcher-kva.example.pem", None),
    ],
)
def test_names(name: str, file: str, target: str | None, run: Run) -> None:
    """Every name that there can be has a file and a target."""
    told = run("--folder", "f", "--name", name)
    assert file in there("f")
    assert target is None or told["Client"].endswith(target)
    assert_works(told)


def test_places_of_ones_own(run: Run) -> None:
    """The files may be anywhere; what a shell or a description would read is quoted."""
    Path("a b").mkdir()
    told = run("--key", "a b/k:1", "--certificate", "c=1")
    assert {"k:1"} == there("a b")
    assert_works(told)


def test_days(run: Run) -> None:
    """The days are counted from now."""
    assert (
        run("--days", "1")["Valid until"] < run("--days", "3", "--force")["Valid until"]
    )


@pytest.mark.parametrize("already", [KEY, CERTIFICATE])
def test_nothing_is_replaced(already: str, run: Run) -> None:
    """Where one of the files is there, neither is written."""
    Path(already).write_bytes(b"old")
    with pytest.raises(CannotStart) as caught:
        run()
    wanted = "want another name, or --force to replace it"
    assert f"{already} is there already; {wanted}" == str(caught.value)
    assert EX_CANTCREAT == caught.value.exit_code
    assert {already} == there()
    assert b"old" == Path(already).read_bytes()


def test_force(run: Run) -> None:
    """Unless it is asked for; a link is replaced, not what it points to."""
    Path("precious").write_bytes(b"old")
    Path(KEY).symlink_to("precious")
    Path(CERTIFICATE).write_bytes(b"old")
    assert_works(run("--force"))
    assert b"old" == Path("precious").read_bytes()
    assert 0o600 == mode(KEY)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("--folder", "f", "--key", "k"),
            "--folder is given with --key or --certificate; want one",
        ),
        (
            ("--folder", "f", "--certificate", "c"),
            "--folder is given with --key or --certificate; want one",
        ),
        (
            ("--key", "k", "--certificate", "./k"),
            "--key and --certificate are one file; want two",
        ),
        (("--days", "367"), "--days is 367; want 1 to 366"),
        (
            ("--name", "a/../b"),
            "--name is a/../b; want a host name, an IPv4 or an IPv6 address",
        ),
    ],
)
def test_wrong_usage(words: tuple[str, ...], line: str, run: Run) -> None:
    """What cannot be asked for is told, and nothing is written."""
    with pytest.raises(EchodError) as caught:
        run(*words)
    assert (line, EX_USAGE) == (str(caught.value), caught.value.exit_code)
    assert set() == there()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ("--key", "absent/k"),
            (
                "absent/k cannot be written: no such file or directory; "
                "want a place that can"
            ),
        ),
        (
            ("--key", "absent/k", "--force"),
            (
                "absent/k cannot be written: no such file or directory; "
                "want a place that can"
            ),
        ),
        (
            ("--folder", "absent/f"),
            (
                "--folder absent/f cannot be made: no such file or directory; "
                "want a folder"
            ),
        ),
        (
            ("--folder", "file"),
            "--folder file cannot be made: file exists; want a folder",
        ),
    ],
)
def test_no_place(words: tuple[str, ...], line: str, run: Run) -> None:
    """Where nothing can be written that is told, and nothing is left behind."""
    Path("file").touch()
    with pytest.raises(CannotStart) as caught:
        run(*words)
    assert line == str(caught.value)
    assert {"file"} == there()


@pytest.mark.parametrize("words", [(), ("--force",)])
def test_full(
    words: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves no part of a file."""

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotStart, match="no space left on device; want a place"):
        run(*words)
    assert set() == there()


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the answer cannot be told, that is what is wrong."""

    def fail(_data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(output, "write", fail)
    with pytest.raises(BrokenPipe):
        certificate.certificate.main([], standalone_mode=False)
