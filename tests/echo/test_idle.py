from typing import Any

import pytest

from echod import EchoProtocol
from echod.echo.idle import IdleSweep

TIMEOUT_S = 10.0


class Peers:
    """Connections, and what each one's peer has yet to take."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self.owed: dict[EchoProtocol, int] = {}
        self.asked: list[EchoProtocol] = []
        self.sweep = IdleSweep(timeout_s, self._owed_bytes)

    def connect(self) -> EchoProtocol:
        connection = EchoProtocol()
        self.owed[connection] = 0
        return connection

    def idle(self, now_s: float) -> list[tuple[EchoProtocol, int]]:
        return self.sweep.idle(self.owed, now_s)

    def _owed_bytes(self, connection: EchoProtocol) -> int:
        self.asked.append(connection)
        return self.owed[connection]


@pytest.fixture
def peers() -> Peers:
    return Peers()


def test_silent_connection_is_idle(peers: Peers) -> None:
    """One on which nothing ever comes is idle after the time-out, and not before."""
    silent = peers.connect()
    for now_s in (100.0, 105.0, 109.9):
        assert [] == peers.idle(now_s)
    assert [(silent, 0)] == peers.idle(110.0)


def test_talking_connection_is_not(peers: Peers) -> None:
    """One on which something came has the whole time again from then on."""
    talking = peers.connect()
    for now_s in range(0, 100, 9):
        assert [] == peers.idle(now_s)
        talking.received_bytes += 1
    last_s = 99.0
    assert [] == peers.idle(last_s)
    assert [] == peers.idle(last_s + TIMEOUT_S - 0.1)
    assert [(talking, 0)] == peers.idle(last_s + TIMEOUT_S)


def test_peer_that_takes_is_not_idle(peers: Peers) -> None:
    """While a peer takes of what it is owed, it is not idle, however long it takes."""
    slow = peers.connect()
    for turn, owed in enumerate([900, 899, 500, 1, 2000]):
        peers.owed[slow] = owed
        assert [] == peers.idle(turn * TIMEOUT_S)
    peers.owed[slow] = 0
    assert [] == peers.idle(5 * TIMEOUT_S)
    assert [(slow, 0)] == peers.idle(6 * TIMEOUT_S)


def test_peer_that_takes_nothing_has_twice_the_time(peers: Peers) -> None:
    """One that is owed something, and takes nothing of it, is idle after two."""
    stuck = peers.connect()
    peers.owed[stuck] = 900
    for now_s in (0.0, 9.0, 10.0, 15.0, 19.9):
        assert [] == peers.idle(now_s)
    assert [(stuck, 900)] == peers.idle(20.0)


def test_owed_is_asked_for_when_it_matters(peers: Peers) -> None:
    """What a peer is owed costs a system call, and is asked for once a time-out."""
    peers.owed[peers.connect()] = 900
    for now_s in range(20):
        peers.idle(now_s)
    assert 1 == len(peers.asked)


def test_connection_stays_idle_where_it_stays(peers: Peers) -> None:
    """One that was found, and is still there, is found again a time-out later."""
    silent = peers.connect()
    peers.idle(0.0)
    assert [(silent, 0)] == peers.idle(10.0)
    assert [] == peers.idle(19.0)
    assert [(silent, 0)] == peers.idle(20.0)


def test_lost_connection_is_forgotten(peers: Peers) -> None:
    """Nothing is kept of a connection that is gone; nor does it come back as old."""
    gone = peers.connect()
    peers.idle(0.0)
    del peers.owed[gone]
    assert [] == peers.idle(10.0)
    assert {} == peers.sweep._marks
    peers.owed[gone] = 0
    assert [] == peers.idle(11.0)
    assert [(gone, 0)] == peers.idle(21.0)


def test_each_connection_has_its_own_time(peers: Peers) -> None:
    """Among many, those are found that did not move, in any number."""
    many = [peers.connect() for _ in range(1000)]
    peers.idle(0.0)
    for connection in many[::2]:
        connection.received_bytes += 1
    late = peers.connect()
    assert [] == peers.idle(5.0)
    assert [(it, 0) for it in many[1::2]] == peers.idle(10.0)
    assert [(it, 0) for it in [*many[::2], late]] == peers.idle(15.0)


@pytest.mark.parametrize("now_s", [0.0, 1e-9, 1e9])
def test_first_look_finds_nobody(now_s: float) -> None:
    """A connection has its time from the first look on, whatever the clock says."""
    peers: Any = Peers(timeout_s=1.0)
    peers.connect()
    assert [] == peers.idle(now_s)
