"""The forms in which a host and a port may be written."""

import ipaddress
import re

from ..errors import BadValue

MAX_PORT = 65_535

# RFC 1035 section 2.3.4 (253 characters as text), and the underscore that
# hosts files and container networks use all the same.
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)\w([\w.-]*\w)?\.?")


def port_number(value: int | str, what: str = "port", lowest: int = 0) -> int:
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


def host(value: str, what: str = "host") -> str:
    """
    Args:
        value: a host name, an IPv4 or an IPv6 address; empty for every IPv4
            address of this host.
        what: the name under which it was given.

    Returns:
        The host as it was written; a name is not looked up.

    Raises:
        BadValue: it can be none of these.
    """
    well_formed = isinstance(value, str) and (
        value == "" or is_ipv6(value) or _HOST_NAME.fullmatch(value)
    )
    if not well_formed:
        raise BadValue(what, value, "a host name, an IPv4 or an IPv6 address")
    return value


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
