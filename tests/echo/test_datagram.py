from twisted.internet.address import IPv4Address
from twisted.internet.error import MessageLengthError

from echod import EchoDatagramProtocol
from echod.policy.source import Refusal, SourceGuard


class Transport:
    """A UDP transport in memory, which may fail."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.written: list[tuple[bytes, tuple[str, int]]] = []
        self._failure = failure

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", "127.0.0.1", 65_432)

    def write(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if self._failure is not None:
            raise self._failure
        self.written.append((datagram, addr))


def start(
    transport: Transport, guard: SourceGuard | None = None
) -> EchoDatagramProtocol:
    protocol = EchoDatagramProtocol(guard)
    protocol.makeConnection(transport)  # type: ignore[arg-type]
    return protocol


def test_answer_goes_to_the_very_address_that_came() -> None:
    """The address object comes back to the transport as it was: it may carry more."""
    transport = Transport()
    source = ("127.0.0.1", 50_000)
    protocol = start(transport)
    protocol.datagramReceived(b"x", source)
    assert [(b"x", source)] == transport.written
    assert source is transport.written[0][1]
    assert 1 == protocol.counters.answered


def test_refused_source_is_counted_by_reason() -> None:
    """A refusal is silent, and has a counter of its own."""
    transport = Transport()
    protocol = start(transport)
    for source in (("127.0.0.1", 7), ("127.0.0.1", 19), ("224.0.0.1", 50_000)):
        protocol.datagramReceived(b"x", source)
    assert [] == transport.written
    assert {Refusal.RESERVED_PORT: 2, Refusal.SOURCE_ADDRESS: 1} == dict(
        protocol.counters.refused
    )


def test_own_port_is_refused_without_being_told() -> None:
    """On a port of its own, a protocol without a guard knows its number."""
    protocol = start(Transport())
    protocol.datagramReceived(b"x", ("192.0.2.1", 65_432))
    assert {Refusal.OWN_PORT: 1} == dict(protocol.counters.refused)


def test_given_guard_decides() -> None:
    """A guard that is given knows all the ports of its service."""
    protocol = start(Transport(), SourceGuard([50_000]))
    protocol.datagramReceived(b"x", ("192.0.2.1", 50_000))
    protocol.datagramReceived(b"x", ("192.0.2.1", 65_432))
    assert (1, 1) == (protocol.counters.refused.total(), protocol.counters.answered)


def test_stock_port_that_raises_costs_one_count() -> None:
    """Twisted's port raises for a single datagram; the protocol goes on."""
    for failure in (BlockingIOError(), PermissionError(), MessageLengthError()):
        protocol = start(Transport(failure))
        protocol.datagramReceived(b"x", ("192.0.2.1", 50_000))
        assert (1, 0) == (protocol.counters.failed, protocol.counters.answered)


class Batch:
    """Datagrams from these sources."""

    def __init__(
        self, sources: list[tuple[str, int]], *, has_plain_sources: bool = True
    ) -> None:
        self.has_plain_sources = has_plain_sources
        self.left = dict(enumerate(sources))
        self._sources = sources

    @property
    def ports(self) -> list[int]:
        return [port for _, port in self._sources]

    def __len__(self) -> int:
        return len(self._sources)

    def source(self, index: int) -> tuple[str, int]:
        return self._sources[index]

    def drop(self, index: int) -> None:
        del self.left[index]

    def answer(self) -> int:
        return len(self.left)


def test_batch_of_good_sources_is_answered() -> None:
    """Nothing is asked about the single source then."""
    protocol = start(Transport())
    batch = Batch([("192.0.2.1", 50_000), ("192.0.2.2", 50_001)])
    batch.source = None  # type: ignore[assignment,method-assign]
    protocol.batchReceived(batch)
    assert 2 == protocol.counters.answered


def test_refused_sources_are_dropped_from_a_batch() -> None:
    """They are counted by reason, and the others are answered."""
    protocol = start(Transport())
    batch = Batch([("192.0.2.1", 7), ("192.0.2.2", 50_000), ("192.0.2.1", 1900)])
    protocol.batchReceived(batch)
    assert {1: ("192.0.2.2", 50_000)} == batch.left
    assert 1 == protocol.counters.answered
    assert {Refusal.RESERVED_PORT: 1, Refusal.REFLECTOR_PORT: 1} == dict(
        protocol.counters.refused
    )


def test_doubtful_addresses_are_looked_at() -> None:
    """Where a batch cannot vouch for its sources, each is asked about."""
    protocol = start(Transport())
    sources = [("::ffff:224.0.0.1", 50_000), ("::ffff:192.0.2.1", 50_000)]
    protocol.batchReceived(Batch(sources, has_plain_sources=False))
    assert {Refusal.SOURCE_ADDRESS: 1} == dict(protocol.counters.refused)
    assert 1 == protocol.counters.answered
