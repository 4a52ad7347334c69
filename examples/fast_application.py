"""
An existing application, with one line that puts it on echod's fast transports.

    python examples/fast_application.py

It greets whoever sends it a line. GREETER_PORT names another port than 65433.
"""

import os

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

from echod import NestedReactor


class Greeter(LineReceiver):
    """Greets each line; it knows nothing of echod."""

    def lineReceived(self, line: bytes) -> None:  # noqa: N802 - Twisted calls it
        """Answer a line with a line."""
        self.sendLine(b"Hello, " + line)


def listening(port: IListeningPort) -> None:
    """Tell where the greeter is."""
    print(f"Listening on {port.getHost()}", flush=True)


# The line that is new. What gets this reactor in the place of Twisted's is fast.
fast = NestedReactor(reactor)

greeter = f"tcp:{os.environ.get('GREETER_PORT', '65433')}:interface=127.0.0.1"
serverFromString(fast, greeter).listen(Factory.forProtocol(Greeter)).addCallback(
    listening
)
reactor.run()
