"""Bytes through a TLS connection over memory, one record at a time."""

from OpenSSL import SSL

# The most that one record carries, and that it takes more than that.
RECORD_BYTES = 16 * 1024
_OVERHEAD_BYTES = 512


def encrypt(connection: SSL.Connection, data: bytes) -> bytes:
    """
    Args:
        connection: that has nothing to send.
        data: at least one byte.

    Returns:
        Its records.

    Raises:
        SSL.Error: the connection is broken.
    """
    view = data if len(data) <= RECORD_BYTES else memoryview(data)
    sent, records = 0, []
    while sent < len(data):
        # One record, as pyOpenSSL sets partial writes; and at most the answer to the
        # last KeyUpdate, with which OpenSSL takes its time.
        size = connection.send(view[sent : sent + RECORD_BYTES])
        records.append(connection.bio_read(size + _OVERHEAD_BYTES))
        sent += size
    return b"".join(records)


def decrypt(connection: SSL.Connection, received: list[bytes]) -> SSL.Error:
    """
    Args:
        connection: that was given what has come.
        received: what there is in it is added here.

    Returns:
        What came then: a WantReadError for nothing.
    """
    try:
        while True:
            received.append(connection.recv(RECORD_BYTES))
    except SSL.Error as error:
        return lone(error)


def lone(error: SSL.Error) -> SSL.Error:
    """
    Returns:
        The same without its traceback, which would hold on to who keeps the error.
    """
    return error.with_traceback(None)


def written(connection: SSL.Connection) -> bytes:
    """
    Returns:
        What OpenSSL has to send by itself: of handshakes, answers and alerts.
    """
    pieces = []
    try:
        while True:
            pieces.append(connection.bio_read(RECORD_BYTES))
    except SSL.WantReadError:
        return b"".join(pieces)
