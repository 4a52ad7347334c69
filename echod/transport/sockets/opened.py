"""The sockets of any listener that echod opens itself."""

import socket
from collections.abc import Callable

from attrs import field, frozen

from ...wire.listener import InheritedListener, OwnListener, UnixListener
from .bound import each_address, open_sockets
from .inherited import InheritedSockets
from .unix import open_unix


def _nothing() -> None:
    pass


@frozen(kw_only=True)
class Opened:
    """
    A socket that waits to be served.

    Attributes:
        asked: the listener that was asked for.
        at: what it has come to: one address and one port.
        socket: non-blocking and bound; listening if it is of streams.
        remove: takes away what the socket would leave behind when it is closed; to be
            called before that.
    """

    asked: OwnListener
    at: str
    socket: socket.socket
    remove: Callable[[], None] = field(default=_nothing)

    def close(self) -> None:
        """Close the socket, and leave nothing behind."""
        self.remove()
        self.socket.close()


def open_all(listener: OwnListener, inherited: InheritedSockets) -> list[Opened]:
    """
    Args:
        listener: what to open.
        inherited: the sockets that there are already.

    Returns:
        Its sockets, one at least.

    Raises:
        CannotListen: the system will not have one of them; nothing is left open.
        ConfigError: the owner of a UNIX socket does not exist.
    """
    if isinstance(listener, UnixListener):
        opened = open_unix(listener)
        return [
            Opened(
                asked=listener,
                at=str(listener),
                socket=opened.socket,
                remove=opened.remove,
            )
        ]
    if isinstance(listener, InheritedListener):
        return [
            Opened(asked=listener, at=f"{listener} ({it.address})", socket=found)
            for it, found in inherited.open(listener)
        ]
    return [
        Opened(asked=listener, at=str(actual), socket=bound)
        for actual, bound in open_sockets(listener)
    ]


def resolved(listener: OwnListener, inherited: InheritedSockets) -> list[str]:
    """
    Returns:
        What each socket of ``listener`` would be, in words; nothing is opened.

    Raises:
        CannotListen: it means nothing here.
    """
    if isinstance(listener, UnixListener):
        kind = "stream" if listener.protocol == "unix" else "datagram"
        mode = "" if listener.is_abstract else f", mode {listener.mode:o}"
        return [f"{kind} socket {listener.path}{mode}"]
    if isinstance(listener, InheritedListener):
        if not inherited.descriptors:  # As by hand, or in ExecStartPre=.
            return ["what will be inherited"]
        return [it.address for it in inherited.matching(listener)]
    return [
        f"{listener.protocol} {host} port {port}"
        for addresses in each_address(listener)
        for _, (host, port, *_) in addresses
    ]
