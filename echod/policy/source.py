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


# The first label of the IPv4 addresses that are no single host: 0.0.0.0/8 (RFC 1122
# section 3.2.1.3), 224.0.0.0/4 (RFC 5771) and 240.0.0.0/4 with the broadcast address.
_NO_HOST_IPV4 = frozenset(map(str, (0, *range(224, 256))))

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

    def refusal(self, host: str, port: int) -> Refusal | None:
        """
        Args:
            host: the source's address, as the system writes it.
            port: the source's port.

        Returns:
            Why the source gets no answer, or None when it gets one.
        """
        refused = self._refused_ports.get(port)
        if refused is not None:
            return refused
        return None if is_single_host(host) else Refusal.SOURCE_ADDRESS


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
