"""Sets of networks, by which a peer is trusted or let in."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from attrs import field, frozen

from ..errors import BadValue

Network = IPv4Network | IPv6Network

_WANTED = "a network such as 10.0.0.0/8 or fd00::/8, or an address"

# RFC 4291 section 2.5.5.2: ::ffff:0:0/96 is where IPv4 is mapped.
_MAPPED_BITS = 96

# Neither a mask in place of the length, nor a zone.
_FORM = re.compile(r"\s*(([0-9A-Fa-f:.]+)(?:/[0-9]{1,3})?)\s*")


def _ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is mapped into an IPv6 one."""
    return address.ipv4_mapped if isinstance(address, IPv6Address) else None


def _unmapped(network: Network) -> Network:
    mapped = _ipv4(network.network_address)
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


def _each_once(networks: Iterable[Network]) -> tuple[Network, ...]:
    return tuple(dict.fromkeys(map(_unmapped, networks)))


@frozen
class Networks:
    """
    A set of IPv4 and IPv6 networks; ``networks`` makes one from text.

    IPv4 addresses and networks that are mapped into IPv6 count as IPv4, and no other
    IPv6 network has IPv4 addresses in it: ``::/0`` is all of IPv6.

    Attributes:
        networks: as they were given, each once.
    """

    networks: tuple[Network, ...] = field(default=(), converter=_each_once)

    def __iter__(self) -> Iterator[str]:
        """The networks as text; one of a single address without its length."""
        for network in self.networks:
            is_single = network.prefixlen == network.max_prefixlen
            yield str(network.network_address if is_single else network)

    def __str__(self) -> str:
        return ",".join(self)

    def contains(self, host: str) -> bool:
        """
        Args:
            host: an address as the system writes it, with or without a zone; the
                zone does not count.

        Returns:
            Whether it is in one of the networks; what is no address is in none.
            It takes 2 us, however many networks there are.
        """
        kind = IPv6Address if ":" in host else IPv4Address
        try:
            address = kind(host.partition("%")[0])
        except ValueError:
            return False
        address = _ipv4(address) or address
        firsts, lasts = self._ranges[address.version]
        number = int(address)
        index = bisect_right(firsts, number) - 1
        return index >= 0 and number <= lasts[index]

    @cached_property
    def _ranges(self) -> dict[int, tuple[list[int], list[int]]]:
        """By version: the first and the last addresses of ranges that stand apart."""
        ranges: dict[int, tuple[list[int], list[int]]] = {4: ([], []), 6: ([], [])}
        for network in sorted(self.networks, key=lambda it: int(it.network_address)):
            firsts, lasts = ranges[network.version]
            last = int(network.broadcast_address)
            if lasts and int(network.network_address) <= lasts[-1] + 1:
                lasts[-1] = max(lasts[-1], last)
            else:
                firsts.append(int(network.network_address))
                lasts.append(last)
        return ranges


def networks(value: str | Sequence[str] | Networks, what: str = "networks") -> Networks:
    """
    The form of a set of networks: a list, or text with commas; empty for none.

    Args:
        value: networks such as ``10.0.0.0/8`` and ``fd00::/8``, and addresses.
        what: the name under which it was given.

    Raises:
        BadValue: it is anything else.
    """
    if isinstance(value, Networks):
        return value
    items = (value.split(",") if value else []) if isinstance(value, str) else value
    if not isinstance(items, Sequence):
        raise BadValue(what, value, f"a list, each {_WANTED}")
    return Networks(_network(item, what) for item in items)


def _network(text: str, what: str) -> Network:
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    plain, address_text = match.groups() if match else ("", "")
    try:
        network, address = ip_network(plain, strict=False), ip_address(address_text)
    except ValueError:
        raise BadValue(what, text, _WANTED) from None
    if address != network.network_address:
        raise BadValue(what, text, f"{network}, or {address} alone")
    return network
