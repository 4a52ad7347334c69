"""
The UDP ports of services that answer whoever seems to ask.

A datagram that claims to come from such a port is a forgery that would set two
services talking to each other for ever (CERT CA-1996-01, CVE-2024-2169), so nobody
should answer it. Sources: Google quiche's ``QuicDispatcher::IsSourceUdpPortBlocked``
(citing RFC 9308 section 8.1), and OpenBSD inetd's ``dg_badinput`` for NFS.
"""

#: No client has one of these by chance: the system gives out higher ports
#: (RFC 6335 section 6; HAProxy refuses the same for QUIC by default).
LAST_RESERVED_PORT = 1023

#: Above the reserved ports: port and service.
REFLECTORS = {
    1900: "SSDP",
    2049: "NFS",
    3702: "WS-Discovery",
    5353: "Multicast DNS",
    5355: "LLMNR",
    11211: "memcached",
}
