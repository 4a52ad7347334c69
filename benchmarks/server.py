"""A subject that runs, and answers."""

import contextlib
import itertools
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import Failed
from .process import Process
from .subject import Subject

HOST = "127.0.0.1"

#: How long a server may take until it answers.
PATIENCE_S = 10.0
_TRY_S = 0.5
_PAUSE_S = 0.02

# Below the ports that the system gives to clients, so no client's can be in the way.
# Each server has another, because connections of the last one may linger on.
_PORTS = itertools.cycle(range(20_011, 30_000))


def free_port() -> int:
    """A port that is free for TCP and for UDP, and was not used for long."""
    for port in _PORTS:
        with contextlib.suppress(OSError):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as it:
                    it.bind((HOST, port))
            break
    return port


@contextlib.contextmanager
def serving(
    subject: Subject,
    transports: tuple[str, ...],
    *,
    built: Path,
    folder: Path,
    core: int,
) -> Iterator[tuple[Process, int]]:
    """
    A subject that has answered on each transport, and its port.

    Raises:
        Failed: it ends, or does not answer.
    """
    port = free_port()
    command = subject.command(transports[0], port, built=built, folder=folder)
    with Process(command, core=core, folder=folder) as process:
        for transport in transports:
            _wait_for(process, transport, port)
        yield process, port


def _wait_for(process: Process, transport: str, port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not _answers(transport, port):
        if process.has_ended():
            raise Failed(f"it ends at once: {process.last_words()}")
        if time.monotonic() > deadline:
            raise Failed(f"no answer over {transport.upper()} for {PATIENCE_S:.0f} s")
        time.sleep(_PAUSE_S)


def _answers(transport: str, port: int) -> bool:
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as it:
        it.settimeout(_TRY_S)
        try:
            it.connect((HOST, port))
            it.sendall(b"?")
            return it.recv(1) == b"?"
        except OSError:
            return False
