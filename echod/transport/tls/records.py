"""Where the records of TLS begin and end."""

# Type, version and length; RFC 8446 section 5.1.
_HEADER_BYTES = 5


class Records:
    """
    Follows one direction of a connection from its first byte, piece by piece.

    A message of a conversation mostly comes as one record in one piece. Who knows that
    need not ask OpenSSL for more: that takes a third of the time that it spends on a
    message of 64 bytes (7.4 us without, 4.9 us with this; both directions).
    """

    def __init__(self) -> None:
        # What is still to come of the record that has begun; and the part that has
        # come of the next one's header, where that is not complete.
        self._missing_bytes = 0
        self._header = b""

    def is_one(self, data: bytes) -> bool:
        """
        Args:
            data: the next piece.

        Returns:
            Whether it is one whole record. False may stand for many of them.
        """
        if (
            not self._missing_bytes
            and not self._header
            and len(data) > _HEADER_BYTES
            and (data[3] << 8) + data[4] + _HEADER_BYTES == len(data)
        ):
            return True
        self._follow(data)
        return False

    def _follow(self, data: bytes) -> None:
        if self._header:
            data, self._header = self._header + data, b""
        begin = self._missing_bytes
        while begin + _HEADER_BYTES <= len(data):
            begin += (data[begin + 3] << 8) + data[begin + 4] + _HEADER_BYTES
        if begin < len(data):
            self._header, begin = data[begin:], len(data)
        self._missing_bytes = begin - len(data)
