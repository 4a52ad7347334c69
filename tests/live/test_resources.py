"""What a process holds on to, and what it does when there is no more to be had."""

import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from ..support.connection import (
    PATIENCE_S,
    answer_on,
    connect,
    half_closed_answer_on,
    receive,
    reset,
    round_trip,
)
from ..support.daemon import BIN, Daemon
from ..support.latency import seconds_until
from ..support.network import Network

pytestmark = pytest.mark.usefixtures("transport")

CONNECTIONS = 100_000

# Of so many, the first are not counted: memory has to find its size.
WARM_UP = 20_000

# Python's and the system's own comings and goings; 80,000 connections that each left
# one small object would leave four times as much.
SLACK_BYTES = 1024 * 1024

#: With this limit, a process has room for some 50 connections.
OPEN_FILES = 64


def churn(port: int, count: int) -> None:
    """Many short connections, one after the other; each fourth one ends in RST."""
    for number in range(count):
        with socket.socket() as connection:
            connection.settimeout(PATIENCE_S)
            # From many addresses, for each has a bounded number of ports to ask from,
            # and a port rests for a minute.
            connection.bind((f"127.0.0.{number % 100 + 2}", 0))
            connection.connect(("127.0.0.1", port))
            connection.sendall(b"x")
            if number % 4 == 0:
                reset(connection)
                continue
            connection.shutdown(socket.SHUT_WR)
            assert b"x" == receive(connection, 2)


def test_connections_leave_nothing(tmp_path: Path) -> None:
    """100,000 connections leave no open file, and no memory."""
    quiet = Daemon(tmp_path, "--port", "0", "--log-connections", "no")
    # In a network of their own: so many ports that rest would be missed elsewhere.
    with Network() as network, network.inside(quiet):
        port = quiet.ports["tcp"]
        before = quiet.open_files()
        network.call(churn, port, WARM_UP)
        warm_bytes = quiet.rss_bytes()
        network.call(churn, port, CONNECTIONS - WARM_UP)
        seconds_until(lambda: quiet.open_files() == before)
        assert quiet.rss_bytes() - warm_bytes < SLACK_BYTES
        assert b"ping" == network.call(answer_on, port)
    assert "Traceback" not in quiet.log


def test_exhausted_descriptors_come_back(tmp_path: Path) -> None:
    """
    Where no more files can be open, who is connected is served, and who comes after
    one has gone is served within a second; meanwhile the process does not spin.
    """
    limited = ("sh", "-c", f'ulimit -n {OPEN_FILES}; exec "$@"', "sh")
    twistd = (str(BIN / "twistd"), "-n", "--pidfile=", "echod")
    with (
        Daemon(tmp_path, "--port", "0", command=(*limited, *twistd)) as daemon,
        ExitStack() as stack,
    ):
        port = daemon.ports["tcp"]
        first = stack.enter_context(connect(port))
        assert b"ping" == round_trip(first)
        others = [stack.enter_context(connect(port)) for _ in range(2 * OPEN_FILES)]
        begin_s, used_s = time.monotonic(), daemon.cpu_s()
        while time.monotonic() < begin_s + 1:
            assert b"ping" == round_trip(first)
            time.sleep(0.01)
        assert daemon.cpu_s() - used_s < 0.5
        for other in others:
            other.close()

        def answer() -> bytes:
            with suppress(ConnectionError):
                return half_closed_answer_on(port, b"ping")
            return b""

        assert seconds_until(lambda: answer() == b"ping") < 1
        assert b"ping" == round_trip(first)
    assert "Traceback" not in daemon.log
