"""A client's end of a TCP connection, on a plain blocking socket."""

import hashlib
import selectors
import socket
import struct
from collections.abc import Iterable
from threading import Thread

#: How long one step of a conversation may take.
PATIENCE_S = 20.0

_AT_ONCE = struct.pack("ii", 1, 0)


def connect(port: int) -> socket.socket:
    """A connection to ``port`` of 127.0.0.1, with a timeout."""
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def receive(connection: socket.socket, size: int) -> bytes:
    """The next ``size`` bytes, or fewer if the connection ends before."""
    received = bytearray()
    while len(received) < size:
        piece = connection.recv(size - len(received))
        if not piece:
            break
        received += piece
    return bytes(received)


def round_trip(connection: socket.socket, message: bytes = b"ping") -> bytes:
    """What comes back for ``message``."""
    connection.sendall(message)
    return receive(connection, len(message))


def answer_on(port: int, message: bytes = b"ping") -> bytes:
    """What comes back for ``message`` on a connection of its own."""
    with connect(port) as connection:
        return round_trip(connection, message)


def half_closed_answer_on(port: int, message: bytes) -> bytes:
    """All that comes back on a connection of its own, which ends with ``message``."""
    with connect(port) as connection:
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)
        return receive(connection, len(message) + 1)


def send_in_background(connection: socket.socket, pieces: Iterable[bytes]) -> Thread:
    """A started thread that sends ``pieces`` and half-closes the connection."""

    def send() -> None:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)

    thread = Thread(target=send)
    thread.start()
    return thread


def reset(connection: socket.socket) -> None:
    """End the connection with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    connection.close()


def push(
    connections: list[socket.socket], data: bytes, most: int, quiet_s: float
) -> list[int]:
    """
    Send ``data`` over and over on each connection, and read nothing.

    Returns:
        How many bytes the system took on each, when it took no more on any for
        ``quiet_s`` seconds, or had taken ``most`` on one.
    """
    sent = [0] * len(connections)
    with selectors.DefaultSelector() as selector:
        for number, connection in enumerate(connections):
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_WRITE, number)
        while max(sent) < most and (ready := selector.select(quiet_s)):
            for key, _ in ready:
                rest = memoryview(data)[sent[key.data] % len(data) :]
                sent[key.data] += connections[key.data].send(rest)
    for connection in connections:
        connection.settimeout(PATIENCE_S)
    return sent


def digest_of_pushed(data: bytes, size: int) -> str:
    """The SHA-256 of the first ``size`` bytes of ``data`` over and over."""
    digest = hashlib.sha256()
    for _ in range(size // len(data)):
        digest.update(data)
    digest.update(data[: size % len(data)])
    return digest.hexdigest()


def digest_of_received(connection: socket.socket, size: int) -> str:
    """The SHA-256 of the next ``size`` bytes, or fewer if the connection ends."""
    digest = hashlib.sha256()
    while size and (piece := connection.recv(min(size, 1_000_000))):
        digest.update(piece)
        size -= len(piece)
    return digest.hexdigest()
