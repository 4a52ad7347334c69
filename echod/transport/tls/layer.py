"""What a transport on top of another one passes on."""

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol


class Layer(Protocol):
    """
    The protocol of a raw transport, and a transport itself: the part of it that the raw
    transport knows best.
    """

    # More than Twisted declares of a transport is used here, and it is passed on as it
    # is.
    transport: Any

    _peer: IAddress | None = None

    def getPeer(self) -> Any:
        return self._peer or self.transport.getPeer()

    def getHost(self) -> Any:
        return self.transport.getHost()

    def getHandle(self) -> Any:
        """The raw transport's: its socket."""
        return self.transport.getHandle()

    def getTcpNoDelay(self) -> Any:
        return self.transport.getTcpNoDelay()

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.transport.setTcpNoDelay(enabled)

    def getTcpKeepAlive(self) -> Any:
        return self.transport.getTcpKeepAlive()

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.transport.setTcpKeepAlive(enabled)
