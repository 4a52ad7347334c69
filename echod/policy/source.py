"""Which sources of datagrams get an answer."""

from collections.abc import Iterable
from enum import Enum

from .reflector import LAST_RESERVED_PORT, REFLECTORS


class Refusal(Enum):
    """Why a datagram gets no answer."""

    RESERVED_PORT = "source port below 1024"
    REFLECTOR_PORT = "source port of a reflector"
    OWN_PORT = "source port is echod's own"
    SOURCE_ADDRESS = "source is no single host"
    DESTINATION_ADDRESS = "sent to many hosts"
    NO_NAME = "source has no name"
    OWN_NAME = "source is echod's own socket"


# The first label of the IPv4 addresses that are no single host: 0.0.0.0/8 (RFC 1122
# section 3.2.1.3), 224.0.0.0/4 (RFC 5771) and 240.0.0.0/4 with the broadcast address.
_NO_HOST_IPV4 = frozenset(map(str, (0, *range(224, 256))))

# The first bytes of the others; and of the IPv6 addresses that are neither multicast
# (RFC 4291 section 2.4) nor within ::/8, where there are some of all kinds.
_HOST_IPV4 = bytes(range(1, 224))
_HOST_IPV6 = bytes(range(1, 0xFF))

_MAPPED = "::ffff:"


class SourceGuard:
    """
    The sources that must not be answered: UDP must never be a weapon.

    A source is refused when its port is below 1024, a known reflector's or one of
    echod's own, or when its address is not that of a single host. Loopback sources
    are as good as any.

    Args:
        own_ports: the UDP ports that echod listens on.
    """

    def __init__(self, own_ports: Iterable[int] = ()) -> None:
        self.own_ports = frozenset(own_ports)
        # One look-up a datagram; the order of the updates is the order of reasons.
        self._refused_ports = dict.fromkeys(self.own_ports, Refusal.OWN_PORT)
        self._refused_ports |= dict.fromkeys(REFLECTORS, Refusal.REFLECTOR_PORT)
        self._refused_ports |= dict.fromkeys(
            range(LAST_RESERVED_PORT + 1), Refusal.RESERVED_PORT
        )
        self._allows = self._refused_ports.keys().isdisjoint

    def allows_ports(self, ports: Iterable[int]) -> bool:
        """Whether no source is refused for having one of these ports."""
        return self._allows(ports)

    def refusal(self, host: str, port: int) -> Refusal | None:
        """
        Args:
            host: the source's address, as the system writes it.
            port: the source's port.

        Returns:
            Why the source gets no answer, or None when it gets one.
        """
        return self.refusal_of((host, port))

    def refusal_of(self, source: tuple[str, int]) -> Refusal | None:
        """As ``refusal``, for a host and a port in one."""
        host, port = source
        refused = self._refused_ports.get(port)
        if refused is not None:
            return refused
        return None if is_single_host(host) else Refusal.SOURCE_ADDRESS


class LocalGuard:
    """
    The sources that must not be answered over UNIX sockets: those without a name, and
    echod's own. Who moves a link to one of echod's sockets to where their own was, just
    before the answer, would have echod talk to itself for ever.

    Args:
        own_names: of the datagram sockets that echod listens on: paths, or abstract
            names with their NUL.
    """

    def __init__(self, own_names: Iterable[str | bytes] = ()) -> None:
        self._refused: dict[str | bytes | None, Refusal] = {None: Refusal.NO_NAME}
        self._refused |= dict.fromkeys(own_names, Refusal.OWN_NAME)

    def refusal_of(self, source: str | bytes | None) -> Refusal | None:
        """
        Args:
            source: a path, an abstract name, or None where there is neither.

        Returns:
            Why there must be no answer, or None if there may be one.
        """
        return self._refused.get(source)


def is_single_host(host: str) -> bool:
    """
    Args:
        host: an IPv4 or IPv6 address, as the system writes it.

    Returns:
        Whether it can be one host's: not multicast, broadcast or unspecified.
    """
    if ":" in host:
        if not host.startswith(_MAPPED):
            return not (host == "::" or host.startswith("ff"))
        host = host[len(_MAPPED) :]
    return host.partition(".")[0] not in _NO_HOST_IPV4


def are_single_hosts_ipv4(first_bytes: bytes) -> bool:
    """
    Args:
        first_bytes: of each of some IPv4 addresses.

    Returns:
        Whether each can be one host's.
    """
    return not first_bytes.translate(None, _HOST_IPV4)


def are_single_hosts_ipv6(
    first_bytes: bytes, eleventh_bytes: bytes, last_bytes: bytes
) -> bool:
    """
    Args:
        first_bytes: of each of some IPv6 addresses.
        eleventh_bytes: of the same; that of a mapped IPv4 address is 255.
        last_bytes: of the same; that of the unspecified address is 0.

    Returns:
        True only if each can be one host's; False where this cannot be seen from
        these bytes, as it never can for mapped IPv4 addresses.
    """
    if not first_bytes.translate(None, _HOST_IPV6):
        return True
    return not (
        b"\xff" in first_bytes or b"\xff" in eleventh_bytes or b"\0" in last_bytes
    )
