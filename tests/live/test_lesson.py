"""The lesson on sockets that echod began as, on a real process."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..support.connection import connect, round_trip
from ..support.daemon import Daemon

# The lesson's echo-client.py; only the port is not its own.
CLIENT = """
import socket
import sys

HOST = "127.0.0.1"
PORT = int(sys.argv[1])

with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
    s.connect((HOST, PORT))
    s.sendall(b"Hello, world")
    data = s.recv(1024)

print("Received", repr(data))
"""

# The lesson's steps for a UDP client: socket, sendto, recvfrom, close.
DATAGRAM_CLIENT = """
import socket
import sys

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"Hello, world", ("127.0.0.1", int(sys.argv[1])))
data, address = s.recvfrom(1024)
s.close()

print("Received", repr(data), "from", address)
"""


@pytest.fixture(scope="module")
def echod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("echod")) as daemon:
        yield daemon
    assert "Traceback" not in daemon.log


def run(client: str, port: int) -> str:
    """What the client prints."""
    command = [sys.executable, "-c", client, str(port)]
    return subprocess.run(
        command, capture_output=True, check=True, text=True, timeout=20
    ).stdout


def hello(port: int) -> int:
    """The client's own port, after one conversation as the lesson has it."""
    with connect(port) as connection:
        assert b"Hello, world" == round_trip(connection, b"Hello, world")
        return int(connection.getsockname()[1])


def test_client_prints_what_it_sent(echod: Daemon) -> None:
    """The lesson's client, unchanged, prints ``Received b'Hello, world'``."""
    assert "Received b'Hello, world'\n" == run(CLIENT, echod.ports["tcp"])


def test_datagram_client_prints_what_it_sent(echod: Daemon) -> None:
    """The lesson's UDP steps get the datagram back, from the port that was asked."""
    port = echod.ports["udp"]
    wanted = f"Received b'Hello, world' from ('127.0.0.1', {port})\n"
    assert wanted == run(DATAGRAM_CLIENT, port)


def test_connection_is_logged(echod: Daemon) -> None:
    """The log says ``Connected by`` with the client's own address and port."""
    wanted = f"Connected by ('127.0.0.1', {hello(echod.ports['tcp'])})\n"
    assert wanted in echod.wait_for(lambda log: wanted in log)


def test_end_of_connection_is_logged(echod: Daemon) -> None:
    """The log says how a connection ended, after how many bytes and seconds."""
    port = hello(echod.ports["tcp"])
    wanted = re.compile(
        rf"Connection from \('127\.0\.0\.1', {port}\) closed "
        r"after 12 bytes and \d+\.\d{3} s\n"
    )
    assert wanted.search(echod.wait_for(wanted.search))


def test_connections_need_not_be_logged(tmp_path: Path) -> None:
    """With ``--log-connections no`` the log is silent about each, and counts them."""
    options = ("--port", "0", "--log-connections", "no")
    with Daemon(tmp_path, *options) as daemon:
        hello(daemon.ports["tcp"])
    assert "Connected by" not in daemon.log
    assert "Connection from" not in daemon.log
    assert "Stopped after 1 connections with 12 bytes" in daemon.log


def test_kernel_lists_the_listener(echod: Daemon) -> None:
    """The system's own table has the port in state LISTEN, on 127.0.0.1 only."""
    # proc(5): "sl local_address rem_address st ...", host and port in hexadecimal,
    # the host in the machine's byte order; state 0A is LISTEN.
    host = int.from_bytes(socket.inet_aton("127.0.0.1"), sys.byteorder)
    port = f":{echod.ports['tcp']:04X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(port)]
    assert [f"{host:08X}{port}"] == listening


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("netstat", "-an"), marks=pytest.mark.peer("netstat")),
        pytest.param(("ss", "-ltn"), marks=pytest.mark.peer("ss")),
    ],
    ids=" ".join,
)
def test_checking_shows_the_listener(echod: Daemon, command: tuple[str, ...]) -> None:
    """``netstat -an``, the lesson's check, and its successor show the port LISTEN."""
    table = subprocess.run(
        command, capture_output=True, check=True, text=True, timeout=20
    ).stdout
    address = f" 127.0.0.1:{echod.ports['tcp']} "
    (row,) = (row for row in table.splitlines() if address in row and "LISTEN" in row)
    assert row.startswith(("tcp ", "LISTEN "))
