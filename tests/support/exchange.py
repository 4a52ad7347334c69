"""One question to an echo service on loopback, asked with a plain socket."""

import socket

_PATIENCE_S = 5.0


def over_tcp(port: int, question: bytes) -> bytes:
    """What has come back when the connection, half-closed here, has ended."""
    with socket.create_connection(("127.0.0.1", port), _PATIENCE_S) as connection:
        connection.sendall(question)
        connection.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while piece := connection.recv(65_536):
            answer += piece
    return bytes(answer)


def over_udp(port: int, question: bytes) -> bytes:
    """The datagram that comes back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.settimeout(_PATIENCE_S)
        opened.connect(("127.0.0.1", port))
        opened.send(question)
        return opened.recv(65_536)
