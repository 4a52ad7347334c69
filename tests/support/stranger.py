"""Servers that are no echo service."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Self

from .connection import reset as connection_reset

_PATIENCE_S = 20.0

#: What a stranger does with the one connection that it takes.
Behaviour = Callable[[socket.socket], object]


class Stranger:
    """
    A TCP server on loopback that takes one connection; a context manager.

    Args:
        behave: called with the connection, in a thread; who does not close it there
            leaves it open to the end of the context.

    Attributes:
        port: where it listens.
        met: set as soon as there is a connection.
    """

    def __init__(self, behave: Behaviour) -> None:
        self.met = Event()
        self._behave = behave
        self._thread = Thread(target=self._take_one, daemon=True)
        self._connection: socket.socket | None = None

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(_PATIENCE_S)
        self.port: int = self._listening.getsockname()[1]
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(_PATIENCE_S)
        self._listening.close()
        if self._connection is not None:
            self._connection.close()

    def _take_one(self) -> None:
        with suppress(OSError):
            self._connection, _ = self._listening.accept()
            self._connection.settimeout(_PATIENCE_S)
            self.met.set()
            self._behave(self._connection)


def say_nothing(connection: socket.socket) -> None:
    """Neither read nor write."""


def close_at_once(connection: socket.socket) -> None:
    connection.close()


def reset(connection: socket.socket) -> None:
    connection.recv(65_536)
    connection_reset(connection)


def answer_other_bytes(connection: socket.socket) -> None:
    connection.sendall(connection.recv(65_536).swapcase())
    connection.shutdown(socket.SHUT_WR)


def answer_less(connection: socket.socket) -> None:
    connection.sendall(connection.recv(65_536)[:-1])
    connection.shutdown(socket.SHUT_WR)


def answer_more(connection: socket.socket) -> None:
    connection.sendall(connection.recv(65_536) + b"!")
    connection.shutdown(socket.SHUT_WR)


@contextmanager
def silent_datagrams() -> Iterator[socket.socket]:
    """A UDP port that takes datagrams, and answers none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.settimeout(_PATIENCE_S)
        opened.bind(("127.0.0.1", 0))
        yield opened


@contextmanager
def other_datagrams() -> Iterator[int]:
    """A UDP port that answers one datagram, with another one."""

    def answer() -> None:
        with suppress(OSError):
            datagram, source = opened.recvfrom(65_536)
            opened.sendto(datagram.swapcase(), source)

    with silent_datagrams() as opened:
        thread = Thread(target=answer, daemon=True)
        thread.start()
        yield opened.getsockname()[1]
        thread.join(_PATIENCE_S)


@contextmanager
def nobody(kind: socket.SocketKind) -> Iterator[int]:
    """A port of loopback that refuses, and that nobody else can open meanwhile."""
    with socket.socket(socket.AF_INET, kind) as opened:
        opened.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_DGRAM:
            # A connected UDP socket is none to anybody but its peer.
            opened.connect(("127.0.0.1", 9))
        yield opened.getsockname()[1]
