"""A datagram port whose turns are the test's, and its clients."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import DatagramProtocol

from echod.transport.batched.port import BatchedDatagramPort
from echod.transport.datagram import DatagramPort

# What the tests send at once must fit; the system may grant less than is asked for.
_BUFFER_BYTES = 1 << 20


class Switchboard:
    """A reactor that only notes who wants to read and to write."""

    def __init__(self) -> None:
        self.readers: set[Any] = set()
        self.writers: set[Any] = set()
        self.addReader, self.removeReader = self.readers.add, self.readers.discard
        self.addWriter, self.removeWriter = self.writers.add, self.writers.discard
        self.calls: list[Any] = []

    def callLater(self, delay_s: float, call: Any) -> None:
        self.calls.append(call)


@contextmanager
def opened(
    protocol: DatagramProtocol,
    interface: str = "127.0.0.1",
    kind: type[DatagramPort] = BatchedDatagramPort,
    **more: Any,
) -> Iterator[Any]:
    """A port that listens, and whose turns are the test's."""
    switchboard = cast("IReactorFDSet", Switchboard())
    port = kind(0, protocol, interface, reactor=switchboard, **more)
    port.startListening()
    try:
        yield port
    finally:
        port.stopListening()
        port.connectionLost()


@contextmanager
def asker(address: tuple[str, int]) -> Iterator[socket.socket]:
    """A client that is connected to the port."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        client.settimeout(5)
        client.connect(address)
        yield client


def here(port: DatagramPort, host: str = "127.0.0.1") -> tuple[str, int]:
    return host, cast("Any", port.getHost()).port


def ask(client: socket.socket, datagrams: list[bytes]) -> None:
    for datagram in datagrams:
        client.send(datagram)


def answers(client: socket.socket) -> list[bytes]:
    """All that has come; over loopback it is there when ``send`` returns."""
    client.setblocking(False)
    received = []
    while select.select([client], [], [], 0)[0]:
        received.append(client.recv(65_536))
    return received


def datagrams(count: int) -> list[bytes]:
    """Each with a length that is not its neighbour's."""
    return [b"%d" % index + bytes(index % 2 * 5) for index in range(count)]


def alike(count: int, size: int = 64) -> list[bytes]:
    """All of one length."""
    return [b"%d" % index + bytes(size - len(b"%d" % index)) for index in range(count)]
