"""What all datagram listeners of a service know of one another."""

import socket
from collections.abc import Iterable

from ..policy.source import LocalGuard, SourceGuard
from ..transport.sockets.opened import Opened


class Guards:
    """
    The sources of datagrams that get no answer: among others, the service itself. So
    every datagram socket must be there before one of them is served.

    Args:
        sockets: all that are open.
    """

    def __init__(self, sockets: Iterable[Opened]) -> None:
        bound = [it.socket for it in sockets if it.socket.type == socket.SOCK_DGRAM]
        unix = [it for it in bound if it.family == socket.AF_UNIX]
        udp = [it for it in bound if it.family != socket.AF_UNIX]
        self._of_udp = SourceGuard(it.getsockname()[1] for it in udp)
        self._of_unix = LocalGuard(it.getsockname() for it in unix)

    def of(self, opened: Opened) -> SourceGuard | LocalGuard:
        """
        Returns:
            The guard of a datagram socket.
        """
        is_unix = opened.socket.family == socket.AF_UNIX
        return self._of_unix if is_unix else self._of_udp
