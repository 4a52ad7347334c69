"""``echod send``: the lesson's client."""

import os
import sys

import click

from ..client import datagram, stream
from ..errors import BadValue, BrokenPipe, NotAnEcho
from ..wire.target import Target, target
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
def send(where: str, text: str, timeout_s: float) -> None:
    """
    Send TEXT to an echo service and print what comes back.

    TARGET is tcp:HOST:PORT, udp:HOST:PORT, or HOST:PORT for TCP; an IPv6 address
    stands in brackets. TEXT is "Hello, world" where it is not given. With -
    standard input is sent to its end, and the answer goes to standard output byte
    for byte; over UDP it is one datagram.

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
    if text != "-":
        payload = os.fsencode(text)
        received = _echo(to, payload, timeout_s)
        output.answer(f"Received {received!r}\n")
        _reject_other(to, payload, received)
    elif to.protocol == "udp":
        payload = _read_datagram()
        received = _echo(to, payload, timeout_s)
        output.answer(received)
        _reject_other(to, payload, received)
    else:
        run(
            lambda reactor: stream.pipe(
                to, _STANDARD_INPUT, output.write, timeout_s, reactor
            )
        )


def _echo(to: Target, payload: bytes, timeout_s: float) -> bytes:
    exchange = stream.echo if to.protocol == "tcp" else datagram.echo
    return run(lambda reactor: exchange(to, payload, timeout_s, reactor))


def _reject_other(to: Target, payload: bytes, answer: bytes) -> None:
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
