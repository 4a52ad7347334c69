"""A TLS connection whose network cuts the bytes anyhow."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import tcp

from echod import EchoFactory
from echod.transport.eager import EagerServer

from ...support.side import HalfCloseable
from ...support.tls import (
    VERSIONS,
    Pair,
    TlsSide,
    client_connection,
    client_context,
    server_connection,
)

KINDS = (tcp.Server, EagerServer)


class Sender(HalfCloseable):
    """A client that half-closes when it has sent all that it has to send."""

    def __init__(self, messages: list[bytes], end: str) -> None:
        super().__init__()
        self._messages, self._end = messages, end

    def connectionMade(self) -> None:
        transport: Any = self.transport
        for message in self._messages:
            transport.write(message)
        if self._end == "say":
            transport.loseWriteConnection()
        elif self._end == "fin":
            raw = transport.transport
            raw.unregisterProducer()
            raw.loseWriteConnection()

    def readConnectionLost(self) -> None:
        super().readConnectionLost()
        assert self.transport
        self.transport.loseConnection()


@given(
    version=st.sampled_from(list(VERSIONS)),
    sizes=st.lists(st.sampled_from([1, 7, 1000, 16_384, 16_385, 70_000]), max_size=4),
    pieces=st.lists(
        st.one_of(st.integers(1, 40), st.integers(41, 100_000)), min_size=1
    ),
    end=st.sampled_from(["say", "fin"]),
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
)
@settings(max_examples=60)
def test_pieces_do_not_matter(
    version: str,
    sizes: list[int],
    pieces: list[int],
    end: str,
    kinds: tuple[type[tcp.Server], type[tcp.Server]],
) -> None:
    """However the network cuts the bytes, the same comes back, and then the end."""
    if sum(sizes) > 1000:
        pieces = [max(it, 100) for it in pieces]
    messages = [bytes([it % 251]) * size for it, size in enumerate(sizes)]
    client = Sender(messages, end)
    factory = EchoFactory(log_connections=False)
    server = TlsSide(factory.buildProtocol(None), server_connection(), kinds[0])
    made = client_connection(client_context(version))
    pair = Pair(TlsSide(client, made, kinds[1]), server, pieces)
    pair.exchange()
    assert b"".join(messages) == client.received
    told = ["write", "read", "ConnectionDone"]
    assert told == client.told
    assert sum(sizes) == factory.counters.received_bytes
    assert 1 == factory.counters.lost
    assert (end == "fin") == server.counters.truncated
    for side in (server, pair.client):
        assert side.is_lost
        assert side.socket.is_closed
        assert (1, 0) == (side.counters.handshakes, side.counters.broken)
        assert 0 == len(side.opening)
