"""
The forms in which hosts and ports may be written.

The same for TCP and UDP, for the server and the client: what the socket module, Ruby's
reference and inet(3) between them take. A name or a service is not looked up here.
"""

import ipaddress
import re

from ..errors import BadValue

#: A port, or several: a number, or text of numbers, ranges and names of services.
Ports = int | str

MAX_PORT = 65_535

_IPV4_BYTES = 4

BROADCAST = "255.255.255.255"

# RFC 1035 section 2.3.4 (253 characters as text), and the underscore that
# hosts files and container networks use all the same.
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)\w([\w.-]*\w)?\.?")

# What ends like this is meant as a number (RFC 1123 section 2.1 has names end in a
# letter), and a lookup might take it for an address that nobody meant: 010.0.0.1 is
# 8.0.0.1 to inet(3).
_LIKE_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0[xX][0-9a-fA-F]*)\.?")

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,9}")

# IFNAMSIZ, less the final NUL; an interface's number will do as well.
_ZONE = re.compile(r"[^\s/%\\]{1,15}")

_HOST_FORMS = "a host name, an IPv4 or an IPv6 address"

# RFC 6335 section 5.1, and the underscore of some older names.
_SERVICE = re.compile(
    r"(?!0[xX])(?=[A-Za-z0-9_-]*[A-Za-z])[A-Za-z0-9_]+(-[A-Za-z0-9_]+)*"
)
_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


def port_number(value: Ports, what: str = "port", lowest: int = 0) -> int:
    """
    Args:
        value: a number, or its decimal digits.
        what: the name under which it was given.
        lowest: the least port that makes sense here.

    Returns:
        The port, from ``lowest`` to 65,535. 0 lets the system choose.

    Raises:
        BadValue: it is anything else.
    """
    number = _digits(value) if isinstance(value, str) else value
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if not is_number or not lowest <= number <= MAX_PORT:
        raise BadValue(what, value, f"{lowest} to {MAX_PORT}")
    return number


def _digits(text: str) -> int:
    """The number that ``text`` writes in at most five digits, or -1."""
    return int(text) if re.fullmatch(r"[0-9]{1,5}", text) else -1


def port(value: Ports, what: str = "port", lowest: int = 0) -> Ports:
    """
    As ``port_number``, but a service may be named: ``echo``.

    Returns:
        The number, or the name as it was written.
    """
    if isinstance(value, str) and _SERVICE.fullmatch(value):
        return value
    try:
        return port_number(value, what, lowest)
    except BadValue:
        wanted = f"{lowest} to {MAX_PORT}, or the name of a service"
        raise BadValue(what, value, wanted) from None


def ports(value: Ports | list[Ports] | tuple[Ports, ...], what: str = "port") -> Ports:
    """
    Args:
        value: a port, or several: ``65432,65440-65449,echo``, or a list of such.
        what: the name under which it was given.

    Returns:
        The number where it is one, and else text that ``each_port`` reads.

    Raises:
        BadValue: it is anything else, or names a port twice.
    """
    items = value if isinstance(value, list | tuple) else (value,)
    if not items:
        raise BadValue(what, value, f"0 to {MAX_PORT}")
    texts = [text.strip() for it in items for text in _texts(it, what)]
    if len(texts) == 1 and not _RANGE.fullmatch(texts[0]):
        return port(texts[0], what)
    found: set[Ports] = set()
    for text in texts:
        new = _range(text, what)
        if not found.isdisjoint(new):
            raise BadValue(what, text, "each port once")
        found |= new
    return ",".join(texts)


def _texts(value: Ports, what: str) -> list[str]:
    if isinstance(value, str):
        return value.split(",")
    return [str(port_number(value, what))]


def _range(text: str, what: str) -> set[Ports]:
    match = _RANGE.fullmatch(text)
    if match is None:
        return {port(text, what)}
    first, last = (port_number(it, what, lowest=1) for it in match.groups())
    if first > last:
        raise BadValue(what, text, "the lower port first")
    return set(range(first, last + 1))


def each_port(several: Ports) -> list[Ports]:
    """
    Args:
        several: what ``ports`` returned.

    Returns:
        Numbers, and names of services, in the order in which they were written.
    """
    found: list[Ports] = []
    for text in str(several).split(","):
        match = _RANGE.fullmatch(text)
        if match is not None:
            found += range(int(match[1]), int(match[2]) + 1)
        else:
            found.append(int(text) if text.isdecimal() else text)
    return found


def host(value: str | int, what: str = "host") -> str:
    """
    Args:
        value: a host name; an IPv4 address as a dotted quad, in one of the short forms
            of inet(3) in decimal (``127.1``), or as a number in host byte order
            (2130706433, or its digits); an IPv6 address, with a zone or without;
            ``<broadcast>``; empty for every address of this host.
        what: the name under which it was given.

    Returns:
        A name as it was written, an address in its usual form (an IPv4 address that is
        mapped into IPv6 as IPv4), or the empty text.

    Raises:
        BadValue: it can be none of these.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < 1 << (8 * _IPV4_BYTES):
            raise BadValue(what, value, _HOST_FORMS)
        value = str(value)
    if not isinstance(value, str):
        raise BadValue(what, value, _HOST_FORMS)
    found = BROADCAST if value == "<broadcast>" else _ipv6(value) or _ipv4(value)
    if found is not None:
        return found
    if _LIKE_A_NUMBER.fullmatch(value):
        wanted = "an IPv4 address in decimal, without leading zeros"
        raise BadValue(what, value, wanted)
    if value and not _HOST_NAME.fullmatch(value):
        raise BadValue(what, value, _HOST_FORMS)
    return value


def _ipv4(text: str) -> str | None:
    """The dotted quad of an IPv4 address with one to four parts: inet(3)."""
    parts = text.split(".")
    if len(parts) > _IPV4_BYTES or not all(_DECIMAL.fullmatch(it) for it in parts):
        return None
    *first, rest = map(int, parts)
    try:
        packed = bytes(first) + rest.to_bytes(_IPV4_BYTES - len(first), "big")
    except (ValueError, OverflowError):
        return None
    return str(ipaddress.IPv4Address(packed))


def _ipv6(text: str) -> str | None:
    """The usual form of an IPv6 address; IPv4 where that is mapped into it."""
    bare, is_zoned, zone = text.partition("%")
    try:
        address = ipaddress.IPv6Address(bare)
    except ValueError:
        return None
    if is_zoned:
        is_zone = _ZONE.fullmatch(zone) and zone.isprintable()
        return f"{address}%{zone}" if is_zone and not address.ipv4_mapped else None
    return unmapped(str(address))


def unmapped(address: str) -> str:
    """
    Args:
        address: an IPv4 or IPv6 address as the system writes it.

    Returns:
        The IPv4 address that is mapped into it (RFC 4291 section 2.5.5.2), or else
        ``address`` itself.
    """
    if not address.lower().startswith("::ffff:"):
        return address
    mapped = ipaddress.IPv6Address(address).ipv4_mapped
    return address if mapped is None else str(mapped)


def is_ipv6(text: str) -> bool:
    """
    Returns:
        Whether ``text`` is an IPv6 address, with or without a zone.
    """
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
