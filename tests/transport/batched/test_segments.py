"""Answers that differ in nothing but their bytes leave as one message."""

import errno

import pytest

from echod import EchoDatagramProtocol
from echod.transport.batched import segments

from ...contract import payload
from ...support.reluctant import inject_calls
from ...support.turned import alike, answers, ask, asker, here, opened


@pytest.fixture
def protocol() -> EchoDatagramProtocol:
    return EchoDatagramProtocol()


@pytest.mark.parametrize(
    ("interface", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("", "127.0.0.2"),
        ("::1", "::1"),
        ("::", "127.0.0.2"),
    ],
)
@pytest.mark.parametrize(("count", "size"), [(2, 1), (3, 1000), (64, 64), (45, 1452)])
def test_peer_gets_single_datagrams(
    protocol: EchoDatagramProtocol,
    interface: str,
    host: str,
    count: int,
    size: int,
) -> None:
    """The peer cannot tell: the datagrams are those that it sent, and as many."""
    with opened(protocol, interface) as port, asker(here(port, host)) as client:
        calls = inject_calls(port)
        for _ in range(2):
            ask(client, alike(count, size))
            port.doRead()
            assert alike(count, size) == answers(client)
    assert [1, 1] == calls[1].counts
    assert 2 * count == protocol.counters.answered


@pytest.mark.parametrize(("count", "size"), [(1, 64), (3, 0), (3, 1453), (64, 1452)])
def test_not_what_the_system_would_not_take(
    protocol: EchoDatagramProtocol, count: int, size: int
) -> None:
    """Empty answers, long ones and too many are messages of their own."""
    sent = [payload(size)] * count
    with opened(protocol) as port, asker(here(port)) as client:
        calls = inject_calls(port)
        ask(client, sent)
        port.doRead()
        assert sent == answers(client)
    assert [count] == calls[1].counts


def test_not_for_two_peers(protocol: EchoDatagramProtocol) -> None:
    """Answers to two clients go to either."""
    with (
        opened(protocol) as port,
        asker(here(port)) as one,
        asker(here(port)) as two,
    ):
        calls = inject_calls(port)
        one.send(b"one")
        two.send(b"two")
        port.doRead()
        assert ([b"one"], [b"two"]) == (answers(one), answers(two))
    assert [2] == calls[1].counts


def test_not_from_two_addresses(protocol: EchoDatagramProtocol) -> None:
    """Answers to one client leave from the address that each was sent to."""
    with opened(protocol, "") as port, asker(here(port)) as client:
        calls = inject_calls(port)
        client.send(b"one")
        client.connect(here(port, "127.0.0.2"))
        client.send(b"two")
        port.doRead()
        # It hears from the one that it is connected to now.
        assert [b"two"] == answers(client)
    assert [2] == calls[1].counts


def test_not_on_a_system_that_does_not_cut(
    protocol: EchoDatagramProtocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the socket does not know the option, nothing is tried."""
    monkeypatch.setattr(segments, "UDP_SEGMENT", 0x7FFF)
    with opened(protocol) as port, asker(here(port)) as client:
        calls = inject_calls(port)
        ask(client, alike(3))
        port.doRead()
        assert alike(3) == answers(client)
    assert [3] == calls[1].counts


@pytest.mark.parametrize("error", [errno.EINVAL, errno.EMSGSIZE, errno.EIO])
def test_way_that_takes_no_segments(protocol: EchoDatagramProtocol, error: int) -> None:
    """Then the answers leave one by one, and nothing is counted."""
    with opened(protocol) as port, asker(here(port)) as client:
        calls = inject_calls(port, send=[-error])
        ask(client, alike(3))
        port.doRead()
        assert alike(3) == answers(client)
        assert 0 == port.counters.unsent.total()
    assert [1, 3] == calls[1].counts


def test_other_failure_costs_one_count(protocol: EchoDatagramProtocol) -> None:
    """It is counted as one datagram's, and the others are tried by themselves."""
    with opened(protocol) as port, asker(here(port)) as client:
        calls = inject_calls(port, send=[-errno.EPERM])
        ask(client, alike(3))
        port.doRead()
        assert alike(3)[1:] == answers(client)
        assert {"EPERM": 1} == port.counters.unsent
    assert [1, 2] == calls[1].counts


def test_full_send_buffer(protocol: EchoDatagramProtocol) -> None:
    """Where there is no room all of them wait, and leave together."""
    with opened(protocol) as port, asker(here(port)) as client:
        calls = inject_calls(port, send=[-errno.EAGAIN])
        ask(client, alike(3))
        port.doRead()
        assert [] == answers(client)
        port.doWrite()
        assert alike(3) == answers(client)
    assert [1, 1] == calls[1].counts
