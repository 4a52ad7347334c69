"""What a connection's peer has not taken yet."""

import fcntl
import struct
import termios
from typing import Any


def owed_bytes(transport: Any) -> int:
    """
    Args:
        transport: of a stream.

    Returns:
        How many bytes the system keeps for the peer, which has not acknowledged them:
        tcp(7) SIOCOUTQ, unix(7). 0 where the transport has no socket, or none any more.
    """
    try:
        answer = fcntl.ioctl(transport.getHandle().fileno(), termios.TIOCOUTQ, bytes(4))
    except (AttributeError, OSError, ValueError):
        return 0
    return int(struct.unpack("i", answer)[0])
