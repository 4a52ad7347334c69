import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echod.policy.reflector import REFLECTORS
from echod.policy.source import (
    Refusal,
    SourceGuard,
    are_single_hosts_ipv4,
    are_single_hosts_ipv6,
    is_single_host,
)

#: The list of Google quiche, QuicDispatcher::IsSourceUdpPortBlocked.
QUICHE = [
    0,
    17,
    19,
    53,
    111,
    123,
    137,
    138,
    161,
    389,
    500,
    1900,
    3702,
    5353,
    5355,
    11211,
]


@given(st.integers(0, 1023))
def test_reserved_port_gets_no_answer(port: int) -> None:
    """A datagram from port 7 is dropped, so two echo servers cannot feed each other."""
    assert Refusal.RESERVED_PORT is SourceGuard().refusal("127.0.0.1", port)


@pytest.mark.parametrize("port", QUICHE)
def test_known_reflector_gets_no_answer(port: int) -> None:
    """Every port on quiche's list of reflectors is refused."""
    assert SourceGuard().refusal("192.0.2.1", port) is not None


@given(st.sampled_from(sorted(REFLECTORS)))
def test_reflector_is_counted_as_one(port: int) -> None:
    """A reflector above the reserved ports has a reason of its own."""
    assert Refusal.REFLECTOR_PORT is SourceGuard().refusal("192.0.2.1", port)


def test_own_port_gets_no_answer() -> None:
    """Another echod on the same port cannot be set against this one."""
    assert Refusal.OWN_PORT is SourceGuard([65_432]).refusal("192.0.2.1", 65_432)
    assert SourceGuard([65_432]).refusal("192.0.2.1", 65_431) is None


@given(
    st.ip_addresses(network="127.0.0.0/8").map(str) | st.just("::1"),
    st.integers(1024, 65_535).filter(lambda port: port not in REFLECTORS),
)
def test_loopback_gets_an_answer(host: str, port: int) -> None:
    """The lesson's client on 127.0.0.1 is served."""
    assert SourceGuard([65_432 if port != 65_432 else 7]).refusal(host, port) is None


@given(st.ip_addresses())
def test_single_host_is_what_ipaddress_says(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    """Multicast, broadcast, reserved and unspecified addresses are no single host."""
    if isinstance(address, ipaddress.IPv4Address):
        expected = not (
            address.is_multicast or int(address) >> 24 == 0 or int(address) >> 28 == 15
        )
    else:
        mapped = address.ipv4_mapped
        if mapped is not None:
            return
        expected = not (address.is_multicast or address.is_unspecified)
    assert expected == is_single_host(str(address))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("224.0.0.1", False),
        ("239.255.255.250", False),
        ("255.255.255.255", False),
        ("223.255.255.255", True),
        ("10.0.0.255", True),
        ("::", False),
        ("ff02::fb", False),
        ("fe80::1%eth0", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:224.0.0.1", False),
        ("::ffff:0.0.0.0", False),
    ],
)
def test_edges_of_single_hosts(host: str, expected: bool) -> None:
    """The edges of the address blocks, and IPv4 addresses in IPv6 clothes."""
    assert expected is is_single_host(host)


def test_wrong_source_address_is_the_reason() -> None:
    """A good port does not make up for an address that is no host's."""
    assert Refusal.SOURCE_ADDRESS is SourceGuard().refusal("224.0.0.1", 50_000)


@given(st.lists(st.integers(0, 65_535)))
def test_ports_are_allowed_together(ports: list[int]) -> None:
    """Ports are allowed together just when each is allowed by itself."""
    guard = SourceGuard([65_432])
    expected = all(guard.refusal("192.0.2.1", port) is None for port in ports)
    assert expected is guard.allows_ports(ports)


@given(st.lists(st.ip_addresses(v=4)))
def test_ipv4_addresses_together(addresses: list[ipaddress.IPv4Address]) -> None:
    """IPv4 addresses are single hosts' together just when each is."""
    expected = all(is_single_host(str(it)) for it in addresses)
    first_bytes = bytes(it.packed[0] for it in addresses)
    assert expected is are_single_hosts_ipv4(first_bytes)


#: Of all kinds, those that a random address never is among them.
_IPV6_ADDRESSES = st.ip_addresses(v=6) | st.sampled_from(
    [
        ipaddress.IPv6Address(it)
        for it in ("::", "::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:0.0.0.0")
    ]
)


def see_ipv6(*addresses: ipaddress.IPv6Address) -> bool:
    packed = [it.packed for it in addresses]
    columns = (bytes(it[index] for it in packed) for index in (0, 10, 15))
    return are_single_hosts_ipv6(*columns)


@given(st.lists(_IPV6_ADDRESSES))
def test_ipv6_addresses_together(addresses: list[ipaddress.IPv6Address]) -> None:
    """What is seen from a few bytes is true of each address."""
    if see_ipv6(*addresses):
        assert all(is_single_host(str(it)) for it in addresses)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("::1", True),
        ("2001:db8::", True),
        ("2001:db8::ff00:0:0", True),
        ("fe80::1", True),
        ("::", False),
        ("ff02::1", False),
        ("::ffff:192.0.2.1", False),
    ],
)
def test_ipv6_address_that_needs_a_look(host: str, expected: bool) -> None:
    """Loopback and global addresses need no look; mapped ones do, whatever they are."""
    assert expected is see_ipv6(ipaddress.IPv6Address(host))
