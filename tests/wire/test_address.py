import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from echod.errors import BadValue
from echod.wire.address import (
    Ports,
    each_port,
    host,
    is_ipv6,
    port,
    port_number,
    ports,
    unmapped,
)


@given(st.integers(0, 65_535))
def test_port_is_a_number_or_its_digits(number: int) -> None:
    """A port may be written as a number or in decimal digits."""
    assert number == port_number(number) == port_number(str(number))


@pytest.mark.parametrize(
    "value",
    [
        *(-1, 65_536, 10**400, True, None, 1.0, b"7", [7]),
        *("", "x", "-1", "+1", " 1", "1 ", "1_0", "0x7", "65536", "000007", "7\n"),
        "\u0661",  # a digit elsewhere
    ],
)
def test_anything_else_is_no_port(value: object) -> None:
    """What is no port is refused with its name, its value and the range."""
    with pytest.raises(BadValue, match=r"^--port is .*; want 0 to 65535$"):
        port_number(value, "--port")  # type: ignore[arg-type]


def test_client_cannot_ask_port_0() -> None:
    """Where port 0 makes no sense, the range begins above it."""
    with pytest.raises(BadValue, match="port is 0; want 1 to 65535"):
        port_number(0, lowest=1)


SERVICES = st.from_regex(
    r"(?!0[xX])[a-z0-9]{0,6}[a-z](-[a-z0-9]{1,5})?", fullmatch=True
)
RANGES = st.tuples(st.integers(1, 300), st.integers(0, 50)).map(
    lambda it: f"{it[0] * 200}-{it[0] * 200 + it[1]}"
)


@given(SERVICES)
def test_port_may_be_a_service(name: str) -> None:
    """The name of a service stays as it was written, and is not looked up."""
    assert name == port(name) == ports(name)
    assert [name] == each_port(name)


@given(st.lists(st.integers(0, 199) | SERVICES | RANGES, min_size=2, unique=True))
def test_ports_may_be_several(items: list[Ports]) -> None:
    """Numbers, ranges and services stand in a list, or with commas between them."""
    wanted = [port for it in items for port in each_port(it)]
    assume(len(set(wanted)) == len(wanted))
    text = ",".join(map(str, items))
    assert text == ports(items) == ports(text.replace(",", ", "))
    assert wanted == each_port(ports(text))


def test_lesson_has_one_or_more_ports() -> None:
    """A list with a range in it means each port of them, in order."""
    assert [65_432, *range(65_440, 65_450)] == each_port("65432,65440-65449")
    assert [7] == each_port(ports([7])) == each_port(ports("7"))
    assert [5, 6] == each_port(ports("5-6"))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1,1", "port is 1; want each port once"),
        ("1-5,3", "port is 3; want each port once"),
        ("echo,echo", "port is echo; want each port once"),
        ("5-1", "port is 5-1; want the lower port first"),
        ("0-5", "port is 0; want 1 to 65535"),
        ("1-70000", "port is 70000; want 1 to 65535"),
        ("1,", "port is ''; want 0 to 65535, or the name of a service"),
        ("", "port is ''; want 0 to 65535, or the name of a service"),
        ("1 2", "port is 1 2; want 0 to 65535, or the name of a service"),
        ("0x7", "port is 0x7; want 0 to 65535, or the name of a service"),
        ("-echo", "port is -echo; want 0 to 65535, or the name of a service"),
        ([True], "port is True; want 0 to 65535"),
        (True, "port is True; want 0 to 65535"),
        ([[7]], "port is [7]; want 0 to 65535"),
        ([], "port is []; want 0 to 65535"),
        (None, "port is None; want 0 to 65535"),
        pytest.param(
            10**5000, "port is a very large number; want 0 to 65535", id="huge"
        ),
    ],
    ids=lambda it: str(it)[:20] if isinstance(it, str) else None,
)
def test_wrong_ports(value: Any, message: str) -> None:
    """What is no port, or is one twice, is told with what is wanted."""
    with pytest.raises(BadValue) as caught:
        ports(value)
    assert message == str(caught.value)


@given(st.text(st.sampled_from("0123456789,-aecho x")))
def test_any_text_is_ports_or_refused(text: str) -> None:
    """What was accepted once is accepted again as it was returned."""
    with suppress(BadValue):
        assert ports(text) == ports(ports(text))


@given(st.ip_addresses())
def test_every_address_is_a_host(address: IPv4Address | IPv6Address) -> None:
    """Any IPv4 or IPv6 address is a host; a mapped one is the IPv4 address in it."""
    mapped = getattr(address, "ipv4_mapped", None)
    assert str(mapped or address) == host(str(address)) == host(address.exploded)


@given(st.ip_addresses(v=4))
def test_integer_is_a_host(address: IPv4Address) -> None:
    """An address may be a number in host byte order, or the digits of one."""
    assert str(address) == host(int(address)) == host(str(int(address)))
    assert str(address) == host(f"::ffff:{address}")


@given(st.ip_addresses(v=4))
def test_short_forms_are_those_of_inet(address: IPv4Address) -> None:
    """Where parts are left out, the last one fills the rest: inet(3)."""
    a, b, c, d = address.packed
    for text in (f"{a}.{b}.{(c << 8) + d}", f"{a}.{(b << 16) + (c << 8) + d}"):
        assert str(address) == host(text) == socket.inet_ntoa(socket.inet_aton(text))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("127.1", "127.0.0.1"),
        (2_130_706_433, "127.0.0.1"),
        (0, "0.0.0.0"),
        ("<broadcast>", "255.255.255.255"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::FFFF:7f00:1", "127.0.0.1"),
        ("2001:DB8::0.0.0.1", "2001:db8::1"),
        ("FE80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_usual_form(value: str | int, expected: str) -> None:
    """Each form of an address comes out in the usual one."""
    assert expected == host(value)


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "echo.example.", "a_b", "x-1.y", "1e3", "bücher.example"],
)
def test_names_are_hosts(text: str) -> None:
    """Names and the empty host stay as they are; a name is not looked up."""
    assert text == host(text)


@pytest.mark.parametrize(
    "value",
    [
        *("a b", "-a", ".", "a:1", "[::1]", "a\n", "a" * 254, "\0", None, True, [1]),
        *("fe80::1%", "fe80::1%a b", "fe80::1%a/b", "fe80::1%\x1b", "::1%a%b"),
        *("::ffff:1.2.3.4%lo", "fe80::1%" + "a" * 16, "<Broadcast>"),
    ],
)
def test_anything_else_is_no_host(value: object) -> None:
    """What can be no host is refused in one line of printable characters."""
    with pytest.raises(BadValue, match=r"; want a host name, an IPv4") as caught:
        host(value)  # type: ignore[arg-type]
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "value",
    [
        *("010.0.0.1", "1.2.3.256", "1.2.3.4.5", "0x7f.1", "0x7f000001", "1.2.65536"),
        *("4294967296", "127.0.0.1.", "a.1", "0x."),
        *(-1, 2**32, pytest.param(10**5000, id="huge")),
    ],
    ids=lambda it: repr(it) if isinstance(it, str) else None,
)
def test_number_that_is_no_address(value: str | int) -> None:
    """What looks like an address to some, and like another one to others, is none."""
    with pytest.raises(BadValue, match=r"^host is "):
        host(value)


@given(st.text() | st.text(st.sampled_from("0123456789abcdefx.:%<>")))
def test_host_stays_what_it_is(text: str) -> None:
    """A text is refused, or is a host that means the same when it is read again."""
    with suppress(BadValue):
        assert host(text) == host(host(text))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:7f00:1", "127.0.0.1"),
        ("::1", "::1"),
        ("::ffff:0:1.2.3.4", "::ffff:0:1.2.3.4"),
        ("127.0.0.1", "127.0.0.1"),
        ("fe80::1%lo", "fe80::1%lo"),
    ],
)
def test_unmapped(address: str, expected: str) -> None:
    """An IPv4 address that is mapped into IPv6 is told as IPv4."""
    assert expected == unmapped(address)


@given(st.ip_addresses(v=4).map(str))
def test_ipv4_is_not_ipv6(text: str) -> None:
    """The two families are told apart."""
    assert not is_ipv6(text)
