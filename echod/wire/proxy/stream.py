"""The beginning of a connection on which the PROXY protocol is spoken."""

from . import v1, v2
from .header import BadHeader, Header

#: No header is longer than this.
MAX_BYTES = v2.FIXED_BYTES + v2.MAX_REST_BYTES

_VERSIONS = ((v1.SIGNATURE, v1.parse), (v2.SIGNATURE, v2.parse))


def parse(data: bytes) -> Header | None:
    """
    Read a header of either version. What it is is known with its last byte, and that
    it is none with the first byte that cannot be one's, addresses and TLVs apart:
    those are looked at when they are complete.

    Args:
        data: all that has been received, or as much of it as ``MAX_BYTES``.

    Returns:
        The header; None where more of it is needed.

    Raises:
        BadHeader: this is none, whatever comes.
    """
    for signature, parse_version in _VERSIONS:
        if data.startswith(signature):
            return parse_version(data)
        if signature.startswith(data):
            return None
    raise BadHeader("signature")
