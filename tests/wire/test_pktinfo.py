import socket
import struct

import pytest

from echod.wire import pktinfo
from echod.wire.pktinfo import answer

ASKED = socket.inet_aton("127.0.0.2")
LOCAL = socket.inet_aton("127.0.0.1")


def ipv4(local: bytes, asked: bytes) -> pktinfo.ControlMessage:
    return socket.IPPROTO_IP, pktinfo.IP_PKTINFO, struct.pack("i4s4s", 3, local, asked)


def ipv6(asked: str) -> pktinfo.ControlMessage:
    data = socket.inet_pton(socket.AF_INET6, asked) + struct.pack("I", 3)
    return socket.IPPROTO_IPV6, pktinfo.IPV6_PKTINFO, data


def test_ipv4_answer_leaves_from_the_asked_address() -> None:
    """The answer has the asked address as its own, and any interface."""
    ((level, kind, data),) = answer([ipv4(ASKED, ASKED)]) or []
    assert (socket.IPPROTO_IP, pktinfo.IP_PKTINFO) == (level, kind)
    assert (0, ASKED) == struct.unpack("i4s4s", data)[:2]


def test_ipv6_answer_leaves_from_the_asked_address() -> None:
    """The same over IPv6."""
    ((_, _, data),) = answer([ipv6("2001:db8::7")]) or []
    assert socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(4) == data


def test_link_local_answer_keeps_its_interface() -> None:
    """A link-local address means nothing on another interface."""
    assert [ipv6("fe80::7")] == answer([ipv6("fe80::7")])
    assert [ipv6("febf::7")] == answer([ipv6("febf::7")])


@pytest.mark.parametrize(
    "message",
    [
        ipv4(LOCAL, socket.inet_aton("127.255.255.255")),
        ipv4(LOCAL, socket.inet_aton("255.255.255.255")),
        ipv4(LOCAL, socket.inet_aton("224.0.0.1")),
        ipv6("ff02::1"),
        ipv6("ffff::1"),
    ],
)
def test_many_hosts_get_no_answer(message: pktinfo.ControlMessage) -> None:
    """A datagram to a broadcast or multicast address must not be answered."""
    assert answer([message]) is None


def test_unknown_address_is_left_to_the_system() -> None:
    """Without packet information, or with other messages only, nothing is asked."""
    assert [] == answer([])
    assert [] == answer([(socket.SOL_SOCKET, socket.SCM_RIGHTS, b"1234")])
