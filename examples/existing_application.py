"""
An application that was there before, and the three lines that give it an echo.

    python examples/existing_application.py

It greets whoever sends it a line. GREETER_PORT and ECHO_PORT name other ports than
65433 and 65432.
"""

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.protocols.basic import LineOnlyReceiver

from echod import EchoDatagramProtocol, EchoFactory  # Line 1.

HOST = "127.0.0.1"
GREETER_PORT = int(os.environ.get("GREETER_PORT", "65433"))
ECHO_PORT = int(os.environ.get("ECHO_PORT", "65432"))


class Greeter(LineOnlyReceiver):
    """Greets by name."""

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted calls it
        """Answer a line with a line."""
        self.sendLine(b"Hello, " + line)


async def main(reactor: Any) -> None:
    """Listen, say where, and run until somebody presses Ctrl-C."""

    def tcp(port: int) -> TCP4ServerEndpoint:
        return TCP4ServerEndpoint(reactor, port, interface=HOST)

    ports = [
        await tcp(GREETER_PORT).listen(Factory.forProtocol(Greeter)),
        # Line 2: echo over TCP. Any stream endpoint will do.
        await tcp(ECHO_PORT).listen(EchoFactory()),
        # Line 3: echo over UDP. Twisted cuts datagrams at 8,192 bytes otherwise.
        reactor.listenUDP(ECHO_PORT, EchoDatagramProtocol(), HOST, 65_536),
    ]
    for port in ports:
        print(f"Listening on {port.getHost()}", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main)
