import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echod.wire import pktinfo
from echod.wire.pktinfo import answer, are_plain_ipv4, are_plain_ipv6, messages

ASKED = socket.inet_aton("127.0.0.2")
LOCAL = socket.inet_aton("127.0.0.1")
UNTOLD = bytes(4)


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


def test_early_datagram_is_answered() -> None:
    """What came before the socket was asked to tell is answered from there as well."""
    assert answer([ipv4(ASKED, ASKED)]) == answer([ipv4(UNTOLD, ASKED)])


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
        ipv4(UNTOLD, socket.inet_aton("255.255.255.255")),
        ipv4(UNTOLD, socket.inet_aton("224.0.0.1")),
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


def written(sent: list[pktinfo.ControlMessage]) -> bytes:
    """Control messages as the system writes them: cmsg(3)."""
    found = b""
    for level, kind, data in sent:
        found += struct.pack("@Nii", socket.CMSG_LEN(len(data)), level, kind) + data
        found += bytes(socket.CMSG_SPACE(len(data)) - socket.CMSG_LEN(len(data)))
    return found


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 300), st.binary(max_size=40))
    )
)
def test_messages_are_those_that_were_written(
    sent: list[pktinfo.ControlMessage],
) -> None:
    """Control messages of any length are read as they were written."""
    assert sent == messages(written(sent))


@given(st.binary(max_size=100))
def test_any_bytes_are_messages(control: bytes) -> None:
    """Nothing that is no control message hangs the reading of it, or fails."""
    assert len(control) // pktinfo.HEADER_BYTES >= len(messages(control))


@given(st.lists(st.sampled_from([(LOCAL, LOCAL), (ASKED, ASKED), (LOCAL, ASKED)])))
def test_ipv4_together(pairs: list[tuple[bytes, bytes]]) -> None:
    """Datagrams are plain together just when each may be answered."""
    expected = all(answer([ipv4(local, asked)]) is not None for local, asked in pairs)
    local, asked = (
        memoryview(b"".join(it[side] for it in pairs)).cast("I") for side in (0, 1)
    )
    assert expected is are_plain_ipv4(local, asked)


@given(
    st.lists(st.ip_addresses(v=6).map(str) | st.sampled_from(["fe80::1", "ff02::1"]))
)
def test_ipv6_together(addresses: list[str]) -> None:
    """Where datagrams are plain together, the answer to each has no interface."""
    sent = [ipv6(address) for address in addresses]
    if are_plain_ipv6(bytes(data[0] for _, _, data in sent)):
        for message in sent:
            ((_, _, data),) = answer([message]) or []
            assert message[2][:16] + bytes(4) == data


def test_local_addresses_are_plain() -> None:
    """Loopback and global addresses need no look; link-local and multicast ones do."""
    assert are_plain_ipv6(b"\x00\x20\xfd")
    assert not are_plain_ipv6(b"\x00\xfe")
    assert not are_plain_ipv6(b"\xff\x20")
