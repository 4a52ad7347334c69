"""
Echoes over a nested reactor, within any of Twisted's reactors, and looks what it left.

``python -m tests.support.rounds epoll``, or ``poll``, ``select``, ``asyncio``.
"""

import importlib
import sys
from typing import Any

from twisted.internet.task import deferLater, react

from .descriptors import descriptors

SIZE = 300_000


async def round_of(reactor: Any) -> None:
    """One connection that half-closes, one datagram, and a timer meanwhile."""
    from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol

    from echod import DatagramPort, EchoDatagramProtocol, EchoFactory
    from echod.transport.nested import NestedReactor

    from .ends import ClientDatagramProtocol, ClientProtocol

    nested: Any = NestedReactor(reactor)
    assert nested.fileno() == -1
    fired: list[bool] = []
    nested.callLater(0.01, fired.append, True)

    factory = EchoFactory(log_connections=False)
    port = nested.listenTCP(0, factory, interface="127.0.0.1")
    endpoint = TCP4ClientEndpoint(nested, "127.0.0.1", port.getHost().port)
    client = await connectProtocol(endpoint, ClientProtocol())
    sent = bytes(range(256)) * (SIZE // 256)
    await client.send(sent)
    await client.finish()
    assert sent == await client.read(len(sent) + 1)
    await client.ended
    await factory.when_idle()

    datagrams = DatagramPort(0, EchoDatagramProtocol(), "127.0.0.1", reactor=nested)
    datagrams.startListening()
    here: Any = datagrams.getHost()
    asker = ClientDatagramProtocol(("127.0.0.1", here.port))
    asker_port = nested.listenUDP(0, asker, "127.0.0.1")
    await asker.send(b"datagram")
    assert b"datagram" == await asker.receive()

    assert nested in reactor.getReaders()
    while not fired:
        await deferLater(reactor, 0.001)
    for opened in (port, datagrams, asker_port):
        await opened.stopListening()
    assert nested.fileno() == -1
    assert nested not in reactor.getReaders()


async def rounds(reactor: Any) -> None:
    await round_of(reactor)
    # Twisted keeps a descriptor in reserve from the first port on.
    before = descriptors()
    await round_of(reactor)
    assert before == descriptors()
    sys.stdout.write(f"{type(reactor).__name__}\n")


if __name__ == "__main__":
    importlib.import_module(f"twisted.internet.{sys.argv[1]}reactor").install()
    react(rounds)
