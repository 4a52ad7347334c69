"""Sockets of TCP and UDP listeners."""

import errno
import socket
from typing import Any

import pytest

from echod.errors import EX_CONFIG, CannotListen
from echod.transport.sockets import bound
from echod.transport.sockets.bound import open_sockets
from echod.transport.sockets.resolve import UnknownService, port_of
from echod.wire.inet import Listener


def test_port_that_one_family_has_not_is_chosen_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the choice for one family is taken in the other, there is another one."""
    opened = bound._open
    tried: list[int] = []

    def open_(listener: Listener, family: Any, address: Any) -> socket.socket:
        if family == socket.AF_INET6:
            tried.append(address[1])
            if len(tried) < 3:
                raise OSError(errno.EADDRINUSE, "taken")
        return opened(listener, family, address)

    monkeypatch.setattr(bound, "_open", open_)
    (first, ipv4), (second, ipv6) = open_sockets(
        Listener(protocol="tcp", host="", port=0)
    )
    with ipv4, ipv6:
        assert 3 == len(tried)
        assert first.port == second.port == tried[-1] == ipv6.getsockname()[1]


@pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
def test_host_without_ipv6(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """On a host without IPv6, every address is every IPv4 address."""
    opened = bound._open

    def open_(listener: Listener, family: Any, address: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(number, "no IPv6")
        return opened(listener, family, address)

    monkeypatch.setattr(bound, "_open", open_)
    [(listener, ipv4)] = open_sockets(Listener(protocol="udp", host="", port=0))
    with ipv4:
        assert ("0.0.0.0", ipv4.getsockname()[1]) == (listener.host, listener.port)


@pytest.mark.parametrize("port", [0, 40_000])
def test_other_failures_end_it(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """What no other port would mend is told at once, and nothing is left open."""
    calls: list[Any] = []

    def open_(*call: Any) -> socket.socket:
        calls.append(call)
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(bound, "_open", open_)
    with pytest.raises(CannotListen, match="too many open files; want fewer ports"):
        open_sockets(Listener(protocol="udp", host="", port=port))
    assert 1 == len(calls)


def test_echo_is_known_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service that RFC 862 has is known where a host has no list of services."""

    def nothing(*_: object) -> int:
        raise OSError("service/proto not found")

    monkeypatch.setattr(socket, "getservbyname", nothing)
    assert 7 == port_of("echo", socket.SOCK_DGRAM)
    with pytest.raises(
        UnknownService, match="port discard is no udp service"
    ) as caught:
        port_of("discard", socket.SOCK_DGRAM)
    assert EX_CONFIG == caught.value.exit_code
