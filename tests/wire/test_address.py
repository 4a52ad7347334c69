from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echod.errors import BadValue
from echod.wire.address import host, is_ipv6, port_number


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


@given(st.ip_addresses().map(str))
def test_every_address_is_a_host(text: str) -> None:
    """Any IPv4 or IPv6 address is a host, as it was written."""
    assert text == host(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "echo.example.",
        "a_b",
        "x-1.y",
        "fe80::1%lo",
        "127.1",
        "bücher.example",
    ],
)
def test_names_and_zones_are_hosts(text: str) -> None:
    """Names, zones and the empty host are hosts; a name is not looked up."""
    assert text == host(text)


@pytest.mark.parametrize(
    "value", ["a b", "-a", ".", "a:1", "[::1]", "a\n", "a" * 254, "\0", 5, None]
)
def test_anything_else_is_no_host(value: object) -> None:
    """What can be no host is refused in one line of printable characters."""
    with pytest.raises(BadValue, match=r"^host is ") as caught:
        host(value)  # type: ignore[arg-type]
    assert str(caught.value).isprintable()


@given(st.text())
def test_host_is_refused_or_kept(text: str) -> None:
    """A text is a host as it stands, or is refused; nothing else happens."""
    with suppress(BadValue):
        assert text == host(text)


@given(st.ip_addresses(v=4).map(str))
def test_ipv4_is_not_ipv6(text: str) -> None:
    """The two families are told apart."""
    assert not is_ipv6(text)
