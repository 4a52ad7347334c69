"""The echo of Twisted's own documentation, over TCP and UDP. Usage: PORT."""

import sys
from typing import Any

from twisted.internet import protocol
from twisted.internet import reactor as installed

# The reactor's type does not say what it can do.
reactor: Any = installed


class Echo(protocol.Protocol):
    """As in "Writing Servers"."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class EchoUDP(protocol.DatagramProtocol):
    """As in "UDP Networking"."""

    transport: Any

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.transport.write(datagram, addr)


factory = protocol.Factory.forProtocol(Echo)
reactor.listenTCP(int(sys.argv[1]), factory, interface="127.0.0.1")
reactor.listenUDP(int(sys.argv[1]), EchoUDP(), interface="127.0.0.1")
reactor.run()
