"""``echod send``: the lesson's client."""

import os
import sys

import click

from ..client import datagram, stream
from ..errors import BadValue, BrokenPipe, NotAnEcho
from ..transport.tls.client import ClientContext
from ..wire.certificates import KeyPair
from ..wire.target import AnyTarget, target
from . import output
from .reactor import run

_STANDARD_INPUT = 0


@click.command()
@click.argument("where", metavar="TARGET")
@click.argument("text", default="Hello, world")
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=float,
    default=5.0,
    show_default=True,
    help="How long to wait for the connection, and for each next piece of the answer.",
)
@click.option(
    "--ca",
    metavar="FILE",
    help="Whom to believe over TLS, a PEM file, in place of the system's authorities.",
)
@click.option(
    "--cert",
    metavar="FILE",
    help="The certificate to show over TLS, PEM.",
)
@click.option(
    "--key", metavar="FILE", help="Its key, PEM, unless it is in the same file."
)
@click.option("--insecure", is_flag=True, help="Believe anybody over TLS.")
def send(  # noqa: PLR0913, PLR0917 - one a word of the command line
    where: str,
    text: str,
    timeout_s: float,
    ca: str | None,
    cert: str | None,
    key: str | None,
    insecure: bool,
) -> None:
    """
    Send TEXT to an echo service and print what comes back.

    TARGET is tcp:HOST:PORT, udp:HOST:PORT, tls:HOST:PORT, or HOST:PORT for TCP; an
    IPv6 address stands in brackets, and a PORT may be the name of a service. Or it is
    unix:PATH or unixgram:PATH; @ begins an abstract name. TEXT is "Hello, world" where
    it is not given. With - standard input is sent to its end, and the answer goes to
    standard output byte for byte; over udp: and unixgram: it is one datagram.

    Ends with 0 when exactly what was sent came back, 76 when something else did, 69
    when nothing listens or answers there, and 68 when the host is unknown.
    """
    to = target(where, "TARGET")
    if not 0 < timeout_s < float("inf"):
        raise BadValue("--timeout", timeout_s, "a number of seconds above 0")
    if sys.stdout is None:
        raise BrokenPipe("standard output: it is closed; want a place for the answer")
    if text == "-" and sys.stdin is None:
        raise BrokenPipe("standard input: it is closed; want a file to read")
    context = _context(to, ca, cert, key, insecure)
    is_stream = to.protocol not in ("udp", "unixgram")
    if text == "-" and is_stream:
        run(
            lambda reactor: stream.pipe(
                to, _STANDARD_INPUT, output.write, timeout_s, reactor, context
            )
        )
        return
    payload = _read_datagram() if text == "-" else os.fsencode(text)
    if is_stream:
        received = run(
            lambda reactor: stream.echo(to, payload, timeout_s, reactor, context)
        )
    else:
        received = run(lambda reactor: datagram.echo(to, payload, timeout_s, reactor))
    output.answer(received if text == "-" else f"Received {received!r}\n")
    _reject_other(to, payload, received)


def _context(
    to: AnyTarget, ca: str | None, cert: str | None, key: str | None, insecure: bool
) -> ClientContext | None:
    """Whom to believe over TLS; None where there is none."""
    given = {"--ca": ca, "--cert": cert, "--key": key, "--insecure": insecure or None}
    options = [option for option, value in given.items() if value is not None]
    if to.protocol != "tls":
        if options:
            raise BadValue("TARGET", to, f"tls:HOST:PORT with {options[0]}")
        return None
    if key is not None and cert is None:
        raise BadValue("--key", key, "--cert as well")
    if insecure and ca is not None:
        raise BadValue("--insecure", "yes", "no --ca beside it")
    key_pair = KeyPair(private_key=key or cert, certificate=cert) if cert else None
    return ClientContext(ca=ca, key_pair=key_pair, insecure=insecure)


def _reject_other(to: AnyTarget, payload: bytes, answer: bytes) -> None:
    if answer != payload:
        msg = (
            f"{to}: {len(answer)} bytes came back that are not the {len(payload)} "
            "sent; want the same"
        )
        raise NotAnEcho(msg)


def _read_datagram() -> bytes:
    most = max(datagram.MAX_PAYLOAD_BYTES.values())
    try:
        payload = sys.stdin.buffer.read(most + 1)
    except OSError as error:
        raise BrokenPipe(f"standard input: {error}; want a file to read") from error
    if len(payload) > most:
        raise BadValue("standard input", f"over {most} bytes", "what a datagram holds")
    return payload
