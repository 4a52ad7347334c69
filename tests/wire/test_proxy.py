"""The header of the PROXY protocol: both versions, in any pieces."""

import struct
from ipaddress import IPv6Address, ip_address
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols.haproxy._v1parser import V1Parser
from twisted.protocols.haproxy._v2parser import V2Parser

from echod.wire.proxy.crc32c import crc32c
from echod.wire.proxy.header import BadHeader, Header, HostPort, Reason
from echod.wire.proxy.stream import MAX_BYTES, parse

from ..fuzz.facts import check, outcome
from ..fuzz.headers import (
    LOCAL,
    PROXY,
    SIGNATURE,
    TCP4,
    TCP6,
    UDP4,
    UDP6,
    UNIX_BYTES,
    UNIX_DATAGRAM,
    UNIX_STREAM,
    VALID,
    block,
    ends,
    line,
    names,
    remainder,
    summed,
    tlv,
)

End = HostPort | bytes

V4 = ends(TCP4, "1.2.3.4", "5.6.7.8", 9, 10)

#: The ends that the headers of ``VALID`` name; the other headers are local.
ENDS: dict[str, tuple[End, End]] = {
    "TCP4": (HostPort("192.168.0.1", 56_324), HostPort("192.168.0.11", 443)),
    "TCP4, shortest": (HostPort("1.1.1.1", 0), HostPort("0.0.0.0", 0)),
    "TCP4, longest": (HostPort("255.255.255.255", 65_535),) * 2,
    "TCP6": (HostPort("2001:db8::1", 1), HostPort("fe80::abcd:1", 2)),
    "TCP6, shortest": (HostPort("::", 0), HostPort("::1", 9)),
    "TCP6, longest": (HostPort(":".join(["ffff"] * 8), 65_535),) * 2,
    "TCP6, mapped": (HostPort("10.1.2.3", 4), HostPort("10.1.2.4", 5)),
    "v2 TCP4": (HostPort("127.0.0.1", 42), HostPort("10.0.0.255", 1337)),
    "v2 UDP4": (HostPort("0.0.0.0", 0), HostPort("1.2.3.4", 65_535)),
    "v2 TCP6": (HostPort("2001:db8::1", 1), HostPort("::1", 2)),
    "v2 UDP6": (HostPort("::", 1), HostPort("ff02::1", 2)),
    "v2 TCP6, mapped": (HostPort("10.1.2.3", 4), HostPort("1.2.3.4", 5)),
    "v2 UNIX": (b"/run/a.sock", b"x" * UNIX_BYTES),
    "v2 UNIX, abstract": (b"\0a\0b", b""),
    "v2 TLVs": (HostPort("1.2.3.4", 1), HostPort("5.6.7.8", 2)),
    "v2 checksum": (HostPort("1.2.3.4", 1), HostPort("5.6.7.8", 2)),
    "v2 checksum, UNIX": (b"", b"/b"),
    "v2 longest": (HostPort("::2", 4), HostPort("::3", 5)),
}

LONGEST_MAPPED = "0000:0000:0000:0000:0000:ffff:255.255.255.255"

#: What is no header, and the first words of why.
INVALID: list[tuple[Reason, bytes]] = [
    ("signature", b"G"),
    ("signature", b"hello"),
    ("signature", b"\0"),
    ("signature", b"proxy TCP4"),
    ("signature", b"PROXYTCP4"),
    ("signature", b"PROXY\t"),
    ("signature", b"PROXY\r\n"),
    ("signature", b"\r\n\r\n\0\r\nQUIT\r"),
    ("signature", b"\n"),
    # The beginning of a TLS handshake, and of a request over HTTP/2.
    ("signature", b"\x16\3\1"),
    ("signature", b"PRI * HTTP/2.0\r\n"),
    ("family", b"PROXY TCP5"),
    ("family", b"PROXY TCP46"),
    ("family", b"PROXY tcp4"),
    ("family", b"PROXY TCP4\r"),
    ("family", b"PROXY TCP4\t"),
    ("family", b"PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    ("family", b"PROXY \r\n"),
    ("family", b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n"),
    ("family", b"PROXY unknown\r\n"),
    ("address", b"PROXY TCP4 \r\n"),
    ("address", b"PROXY TCP4 1.2.3.4\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"),
    ("address", b"PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\rX"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 99999 2\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999999\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 -2\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 +2\r\n"),
    ("address", "PROXY TCP4 1.2.3.4 5.6.7.8 1 ٣\r\n".encode()),
    ("address", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 x\r\n"),
    ("address", b"PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP4 1.2.3.4. 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP4 0x7f.2.3.4 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP4 16909060 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP4 ::1 ::2 1 2\r\n"),
    ("address", b"PROXY TCP4 \x1b[31m 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP4 a\nb 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP4 localhost 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP6 ::1 5.6.7.8 1 2\r\n"),
    ("address", b"PROXY TCP6 fe80::1%lo ::1 1 2\r\n"),
    ("address", b"PROXY TCP6 ::1%1 ::1 1 2\r\n"),
    ("address", b"PROXY TCP6 [::1] ::1 1 2\r\n"),
    ("address", b"PROXY TCP6 1::2::3 ::1 1 2\r\n"),
    ("address", b"PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n"),
    ("address", b"PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n"),
    ("address", b"PROXY TCP6 12345:: ::1 1 2\r\n"),
    ("address", b"PROXY TCP6 g:: ::1 1 2\r\n"),
    ("address", b"PROXY TCP6 ::ffff:1.2.3.04 ::1 1 2\r\n"),
    ("length", line("UNKNOWN", "x" * 91, "")),
    ("length", b"PROXY UNKNOWN" + b" " * 94),
    ("length", line("TCP6", LONGEST_MAPPED, LONGEST_MAPPED, 65_535, 65_535)),
    ("version", SIGNATURE + b"\x11"),
    ("version", SIGNATURE + b"\x31"),
    ("version", SIGNATURE + b"\x01"),
    ("command", SIGNATURE + b"\x22"),
    ("command", SIGNATURE + b"\x2f"),
    ("family", SIGNATURE + b"\x21\x41"),
    ("family", SIGNATURE + b"\x21\x13"),
    ("family", SIGNATURE + b"\x21\x03"),
    ("family", SIGNATURE + b"\x21\xff"),
    ("length", SIGNATURE + b"\x21\x11\x00\x0b"),
    ("length", SIGNATURE + b"\x21\x12\x00\x00"),
    ("length", SIGNATURE + b"\x21\x21\x00\x23"),
    ("length", SIGNATURE + b"\x21\x31\x00\xd7"),
    ("length", SIGNATURE + b"\x21\x11\x10\x01"),
    ("length", SIGNATURE + b"\x20\x00\x10\x01"),
    ("length", SIGNATURE + b"\x21\x00\xff\xff"),
    ("tlv", block(PROXY, TCP4, V4 + b"\4")),
    ("tlv", block(PROXY, TCP4, V4 + b"\4\0")),
    ("tlv", block(PROXY, TCP4, V4 + b"\4\0\1")),
    ("tlv", block(PROXY, TCP4, V4 + b"\4\0\0\4")),
    # The next two are of haproxy's own tests: proxy_protocol_tlv_validation.vtc.
    ("tlv", block(PROXY, TCP4, V4 + b"\2\0\x0a12345")),
    ("tlv", block(PROXY, TCP4, V4 + b"\2\0\0041234\0")),
    ("tlv", block(PROXY, TCP4, V4 + tlv(3, bytes(3)))),
    ("tlv", block(PROXY, TCP4, V4 + tlv(3, bytes(5)))),
    ("tlv", summed(PROXY, TCP4, V4, tlv(3, bytes(4)))),
    ("checksum", block(PROXY, TCP4, V4 + tlv(3, bytes(4)))),
    ("checksum", summed(PROXY, TCP4, V4)[:-1] + b"?"),
]


def plain(address: str, port: int) -> HostPort:
    """What an end of a connection must become."""
    parsed = ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return HostPort(str(mapped or parsed), port)


@st.composite
def headers(draw: st.DrawFn) -> tuple[bytes, End, End]:
    """A header of any kind with two ends, and these."""
    kind = draw(st.sampled_from([UNIX_STREAM, UNIX_DATAGRAM, TCP4, UDP4, TCP6, UDP6]))
    more = draw(st.lists(st.builds(tlv, st.integers(4, 255), st.binary(max_size=300))))
    more = more[:10]
    build = draw(st.sampled_from([summed, None]))
    if kind in (UNIX_STREAM, UNIX_DATAGRAM):
        name = st.binary(max_size=UNIX_BYTES - 1).map(lambda it: it.strip(b"\0"))
        source, destination = (draw(name).partition(b"\0")[0] for _ in "12")
        addresses = names(source, destination)
        expected: tuple[End, End] = (source, destination)
    else:
        address = st.ip_addresses(v=4 if kind in (TCP4, UDP4) else 6).map(str)
        hosts = draw(address), draw(address)
        ports = [draw(st.integers(0, 65_535)) for _ in "12"]
        expected = plain(hosts[0], ports[0]), plain(hosts[1], ports[1])
        if kind in (TCP4, TCP6) and draw(st.booleans()):
            return (line("TCP4" if kind == TCP4 else "TCP6", *hosts, *ports), *expected)
        addresses = ends(kind, *hosts, *ports)
    if build is summed:
        return (summed(PROXY, kind, addresses, *more), *expected)
    return (block(PROXY, kind, addresses + b"".join(more)), *expected)


@pytest.mark.parametrize("name", VALID)
def test_every_form_of_the_specification(name: str) -> None:
    """Each form is read: its version, its length, and its ends where it has some."""
    expected: tuple[End, End] | tuple[None, None] = ENDS.get(name, (None, None))
    source, destination = expected
    assert parse(VALID[name]) == Header(
        version=2 if name.startswith("v2") else 1,
        size_bytes=len(VALID[name]),
        source=source,
        destination=destination,
    )


@pytest.mark.parametrize("name", VALID)
def test_byte_by_byte(name: str) -> None:
    """A header is there with its last byte, and what comes behind it is not in it."""
    header = VALID[name]
    assert [None] * len(header) == [outcome(header[:n]) for n in range(len(header))]
    assert parse(header) == parse(header + b"\r\npayload")


@pytest.mark.parametrize(("reason", "data"), INVALID)
def test_what_is_no_header_is_refused(reason: Reason, data: bytes) -> None:
    """What is no header is refused, with a word for why; so is all that begins so."""
    with pytest.raises(BadHeader) as caught:
        parse(data)
    assert reason == caught.value.reason
    assert reason == outcome(data + b"1 2\r\n")
    for cut in range(len(data)):
        check(data, cut)


@pytest.mark.parametrize(
    "data", [data for reason, data in INVALID if reason in ("signature", "version")]
)
def test_what_begins_no_header_is_refused_early(data: bytes) -> None:
    """The first byte that no header has there is the last one that is waited for."""
    first = next(n for n in range(len(data) + 1) if outcome(data[:n]) is not None)
    known = [it[: first - 1] for it in VALID.values()]
    assert data[: first - 1] in known
    assert all(not it.startswith(data[:first]) for it in VALID.values())


def test_every_reason_is_told() -> None:
    """Each word has a meaning: something is refused for it."""
    assert set(get_args(Reason)) == {reason for reason, _ in INVALID}


def test_reason_is_in_the_message() -> None:
    """The exception says in a line what is wrong."""
    with pytest.raises(BadHeader, match=r"^checksum is wrong in a header of the PROXY"):
        parse(block(PROXY, TCP4, V4 + tlv(3, bytes(4))))


@pytest.mark.parametrize("family", range(256))
@pytest.mark.parametrize("command", [LOCAL, PROXY])
def test_every_family_is_taken_or_refused(command: int, family: int) -> None:
    """
    Of a balancer's own connection the family does not count; of another one it must be
    one that there is, and without a family or a transport there are no addresses.
    """
    rest = bytes(216)
    got = outcome(block(command, family, rest))
    is_known = family >> 4 <= 3 and family & 15 <= 2
    if command == PROXY and not is_known:
        assert got == "family"
    else:
        assert isinstance(got, Header)
        has_ends = command == PROXY and family >> 4 and family & 15
        assert got.is_local == (not has_ends)


@given(headers(), st.binary())
def test_round_trip(built: tuple[bytes, End, End], payload: bytes) -> None:
    """What a header is built of is read from it, and the payload begins behind it."""
    data, source, destination = built
    header = parse(data + payload)
    assert header is not None
    assert (source, destination) == (header.source, header.destination)
    assert payload == (data + payload)[header.size_bytes :]
    assert data[4] == 0 or header.version == 1


@given(headers(), st.data())
def test_changed_bits_are_no_fault(
    built: tuple[bytes, End, End], draw: st.DataObject
) -> None:
    """A header with a changed byte is one, or is refused; the cut does not matter."""
    data = bytearray(built[0])
    data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    check(bytes(data), draw.draw(st.integers(0, len(data))))


@given(st.binary() | st.binary().map(lambda it: b"PROXY " + it), st.data())
def test_any_bytes(data: bytes, draw: st.DataObject) -> None:
    """No bytes do anything but be a header, be refused, or want more."""
    check(data, draw.draw(st.integers(0, len(data))))


@given(st.binary(max_size=92).filter(lambda it: b"\r\n" not in it + b"\r"))
def test_anything_after_unknown_is_ignored(anything: bytes) -> None:
    """What follows UNKNOWN counts for nothing, as long as the line ends in time."""
    data = b"PROXY UNKNOWN" + anything + b"\r\n"
    assert parse(data) == Header(version=1, size_bytes=len(data))


@given(headers())
def test_twisted_reads_the_same(built: tuple[bytes, End, End]) -> None:
    """Where Twisted's own parsers give the ends, they give these."""
    data, source, destination = built
    if isinstance(source, bytes):
        return
    if data.startswith(SIGNATURE):
        info = V2Parser.parse(data)
    else:
        info = V1Parser.parse(data[:-2])
    got: list[Any] = [info.source, info.destination]
    assert [source, destination] == [plain(it.host, it.port) for it in got]


def test_too_much_is_never_waited_for() -> None:
    """A header that is complete or refused at the latest with so many bytes."""
    longest = VALID["v2 longest"]
    assert MAX_BYTES == len(longest)
    more = SIGNATURE + struct.pack(">BBH", PROXY, 0, 4097)
    assert outcome(more) == "length"


@given(st.binary(max_size=100))
def test_checksum(data: bytes) -> None:
    """The checksum is what a division of polynomials leaves."""
    assert remainder(data) == crc32c(data)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE306_9283),
        (bytes(32), 0x8A91_36AA),
        (b"\xff" * 32, 0x62A8_AB43),
        (bytes(range(32)), 0x46DD_794E),
        (bytes(range(32))[::-1], 0x113F_DB5C),
    ],
)
def test_checksum_of_known_bytes(data: bytes, expected: int) -> None:
    """The examples of RFC 3720 appendix B.4 come out, and the usual check value."""
    assert expected == crc32c(data) == remainder(data)
