"""Connections from a balancer, as a process takes them."""

import socket
from pathlib import Path

import pytest
from OpenSSL import SSL

from ..support.certificate import certificate_pem
from ..support.connection import connect, receive
from ..support.daemon import Daemon
from ..support.program import TWISTD, assert_told, run

pytestmark = pytest.mark.usefixtures("transport")

HEADER = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 65432\r\n"
EXPECTS = ("--protocols", "tcp", "--port", "0", "--proxy-protocol", "yes")


def answer_of(connection: socket.socket) -> bytes:
    """What comes back for a header and a word, in one piece, and a half-close."""
    connection.sendall(HEADER + b"hello")
    connection.shutdown(socket.SHUT_WR)
    return receive(connection, 100)


def test_real_peer_is_in_the_log(tmp_path: Path) -> None:
    """The log has who is at the other end of the balancer, and not the balancer."""
    with Daemon(tmp_path, *EXPECTS, listeners=1) as daemon:
        with connect(daemon.ports["tcp"]) as connection:
            assert b"hello" == answer_of(connection)
        log = daemon.wait_for(lambda log: "Connection from" in log)
    assert "Connected by ('192.0.2.7', 4711)" in log
    assert "Connection from ('192.0.2.7', 4711) closed after 5 bytes" in log
    assert "('127.0.0.1'" not in log


def test_others_are_refused(tmp_path: Path) -> None:
    """Who is no balancer gets nothing, whatever they say."""
    options = ("--proxy-from", "192.0.2.0/24,fd00::/8")
    with Daemon(tmp_path, *EXPECTS, *options, listeners=1) as daemon:
        with connect(daemon.ports["tcp"]) as connection:
            assert b"" == answer_or_reset(connection)
        log = daemon.log
    assert "Connected by" not in log
    assert "Traceback" not in log


def test_header_is_due(tmp_path: Path) -> None:
    """A balancer that says nothing is not waited for."""
    options = ("--proxy-timeout", "0.5")
    with (
        Daemon(tmp_path, *EXPECTS, *options, listeners=1) as daemon,
        connect(daemon.ports["tcp"]) as connection,
        pytest.raises(ConnectionResetError),
    ):
        connection.recv(1)


def test_nothing_is_guessed(tmp_path: Path) -> None:
    """What does not begin with a header is no connection; and the other way round."""
    with (
        Daemon(tmp_path, *EXPECTS, listeners=1) as daemon,
        connect(daemon.ports["tcp"]) as connection,
    ):
        connection.sendall(b"hello")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with (
        Daemon(tmp_path, "--port", "0", "--protocols", "tcp", listeners=1) as daemon,
        connect(daemon.ports["tcp"]) as connection,
    ):
        assert HEADER + b"hello" == answer_of(connection)


def test_tls_follows_the_header(tmp_path: Path) -> None:
    """A TLS listener expects the header first, and the handshake then."""
    pem = tmp_path / "echod.pem"
    pem.write_bytes(certificate_pem())
    listen = f"ssl:0:privateKey={pem}:interface=127.0.0.1"
    options = ("--listen", listen, "--proxy-protocol", "yes")
    with Daemon(tmp_path, *options, listeners=1) as daemon:
        with connect(daemon.ports["ssl"]) as connection:
            connection.settimeout(None)
            connection.sendall(HEADER)
            stream = SSL.Connection(SSL.Context(SSL.TLS_METHOD), connection)
            stream.set_connect_state()
            stream.do_handshake()
            stream.sendall(b"hello")
            stream.shutdown()
            assert b"hello" == stream.recv(100)
        daemon.wait_for(lambda log: "Connected by ('192.0.2.7', 4711)" in log)


def test_endpoint_of_twisted_has_none(tmp_path: Path) -> None:
    """Where echod does not open the listener itself, it cannot read a header."""
    options = ("--listen", "tcp6:0", "--proxy-protocol", "yes")
    ended = run(*TWISTD, *options, folder=tmp_path)
    assert_told(ended, 78, "listen tcp6:0: no PROXY header can be read there; want ")


def answer_or_reset(connection: socket.socket) -> bytes:
    """The answer, which is empty where the connection is broken."""
    try:
        return answer_of(connection)
    except ConnectionError:
        return b""
