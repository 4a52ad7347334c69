"""``echod certificate``: a key and a certificate for a first try."""

import os
import shlex
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkstemp

import click

from ..errors import CannotStart, UsageError, explain, shown
from ..transport.tls.selfsigned import DAYS, NAMES, SelfSigned, make
from ..wire.description import quote
from . import output

_SECRET_MODE = 0o600
_PUBLIC_MODE = 0o644

_PORT = 65432


@click.command()
@click.option(
    "--name",
    "names",
    metavar="NAME",
    multiple=True,
    help="A host name or an IP address that the server will be called by; may be given "
    f"more than once.  [default: {', '.join(NAMES)}]",
)
@click.option(
    "--folder",
    metavar="DIR",
    help="Write DIR/NAME.pem, with both in it, for a server with tls:DIR, and "
    "DIR/NAME.crt for clients.",
)
@click.option("--key", metavar="FILE", help="Where to.  [default: echod-key.pem]")
@click.option(
    "--certificate", metavar="FILE", help="Where to.  [default: echod-certificate.pem]"
)
@click.option(
    "--days",
    metavar="NUMBER",
    type=int,
    default=DAYS,
    show_default=True,
    help="For how long the certificate is good.",
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
def certificate(  # noqa: PLR0913 - one for each option
    *,
    names: tuple[str, ...],
    folder: str | None,
    key: str | None,
    certificate: str | None,
    days: int,
    force: bool,
) -> None:
    """
    Write a new key and a certificate that signs itself, and say how to use them.

    It will do to try TLS, and for servers whose clients have a copy of it. Only its
    owner can read the key.
    """
    if folder is not None and (key or certificate):
        raise UsageError("--folder is given with --key or --certificate; want one")
    made = make(names or NAMES, days, datetime.now(UTC).replace(microsecond=0))
    if folder is not None:
        _make_folder(folder)
        name = made.names[0].replace("*", "_")
        key, certificate = (str(Path(folder, name + it)) for it in (".pem", ".crt"))
        secret = made.key + made.certificate
        listen = f"tls:{quote(folder)}:{_PORT}"
    else:
        key, certificate = (
            key or "echod-key.pem",
            certificate or "echod-certificate.pem",
        )
        if os.path.realpath(key) == os.path.realpath(certificate):
            raise UsageError("--key and --certificate are one file; want two")
        secret = made.key
        listen = f"ssl:{_PORT}:privateKey={quote(key)}:certKey={quote(certificate)}"
    contents = {
        key: (secret, _SECRET_MODE),
        certificate: (made.certificate, _PUBLIC_MODE),
    }
    _write(contents, force=force)
    output.answer(_explanation(made, listen, key, certificate))


def _make_folder(folder: str) -> None:
    try:
        Path(folder).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        msg = f"--folder {shown(folder)} cannot be made: {explain(error)}"
        raise CannotStart(f"{msg}; want a folder") from error


def _write(contents: dict[str, tuple[bytes, int]], *, force: bool) -> None:
    with ExitStack() as undo:
        for path in contents if not force else ():
            _reserve(path)
            undo.callback(Path(path).unlink)
        for path, (data, mode) in contents.items():
            try:
                _replace(path, data, mode)
            except OSError as error:
                raise _cannot_write(path, error) from error
        undo.pop_all()


def _reserve(path: str) -> None:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    try:
        os.close(os.open(path, flags, _SECRET_MODE))
    except FileExistsError as error:
        wanted = "another name, or --force to replace it"
        raise CannotStart(f"{shown(path)} is there already; want {wanted}") from error
    except OSError as error:
        raise _cannot_write(path, error) from error


def _replace(path: str, data: bytes, mode: int) -> None:
    """At no time does a reader find a part, nor another a key that he may read."""
    descriptor, temporary = mkstemp(prefix=".", dir=Path(path).parent)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def _cannot_write(path: str, error: OSError) -> CannotStart:
    reason = f"{shown(path)} cannot be written: {explain(error)}"
    return CannotStart(f"{reason}; want a place that can")


def _explanation(made: SelfSigned, listen: str, key: str, certificate: str) -> str:
    host = made.names[0].replace("*", "www")
    target = f"tls:[{host}]:{_PORT}" if ":" in host else f"tls:{host}:{_PORT}"
    return f"""\
Key: {shown(key)}, for its owner's eyes only
Certificate: {shown(certificate)}
For: {", ".join(made.names)}
Valid until: {made.until:%Y-%m-%d %H:%M UTC}
SHA-256 fingerprint: {made.fingerprint}
Server: {shlex.join(["echod", "serve", "--listen", listen])}
Client: {shlex.join(["echod", "send", "--ca", certificate, target])}
"""
