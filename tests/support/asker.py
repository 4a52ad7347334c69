"""A client of a UDP service, on a plain blocking socket."""

import socket
from contextlib import suppress

from .connection import PATIENCE_S

Address = tuple[str, int]

#: With the flow and the scope, as IPv6 has them.
LongAddress = tuple[str, int, int, int]


class Asker(socket.socket):
    """
    A UDP socket with a timeout; a context manager, as any socket.

    Args:
        source: where to send from, over IPv4 or IPv6.
    """

    def __init__(self, source: Address | LongAddress = ("127.0.0.1", 0)) -> None:
        is_ipv6 = ":" in source[0]
        family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
        super().__init__(family, socket.SOCK_DGRAM)
        self.settimeout(PATIENCE_S)
        try:
            self.bind(source)
        except OSError:
            self.close()
            raise

    def ask(self, service: Address, datagram: bytes = b"ping") -> tuple[bytes, Address]:
        """The answer to a datagram, and where it came from."""
        self.sendto(datagram, service)
        answer, source = self.recvfrom(65_536)
        return answer, source[:2]

    def received(self) -> list[bytes]:
        """What has come so far."""
        datagrams = []
        self.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                datagrams.append(self.recv(65_536))
        self.settimeout(PATIENCE_S)
        return datagrams


def datagram_answer_on(port: int, datagram: bytes) -> bytes:
    """What comes back for ``datagram`` from ``port`` of 127.0.0.1."""
    with Asker() as asker:
        return asker.ask(("127.0.0.1", port), datagram)[0]
