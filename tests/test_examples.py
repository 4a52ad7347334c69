"""The examples, run as their first lines say, each in a folder of its own."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .support.asker import datagram_answer_on
from .support.connection import half_closed_answer_on
from .support.daemon import BIN, PATIENCE_S, Daemon, clean_environment

EXAMPLES = Path(__file__).parents[1] / "examples"

_LISTENING = re.compile(r"Listening on IPv4Address\(type='(\w+)', .* port=(\d+)\)")


@pytest.fixture(autouse=True)
def free_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else may have the ports that the examples name."""
    monkeypatch.setenv("ECHO_PORT", "0")
    monkeypatch.setenv("GREETER_PORT", "0")


@pytest.fixture
def application(tmp_path: Path) -> Iterator[list[int]]:
    """The ports of the existing application: its own, and echo's for TCP and UDP."""
    command = (sys.executable, str(EXAMPLES / "existing_application.py"))
    with Daemon(tmp_path, listeners=0, command=command) as process:
        log = process.wait_for(lambda log: len(_LISTENING.findall(log)) == 3)
        found = _LISTENING.findall(log)
        assert ["TCP", "TCP", "UDP"] == [protocol for protocol, _ in found]
        yield [int(port) for _, port in found]
    assert "Traceback" not in process.log


def test_application_file(tmp_path: Path) -> None:
    """``twistd -ny echod.tac`` is an echo service over TCP and UDP."""
    options = ("-ny", str(EXAMPLES / "echod.tac"))
    with Daemon(tmp_path, *options, command=(str(BIN / "twistd"),)) as echod:
        assert (
            half_closed_answer_on(echod.ports["tcp"], b"Hello, world")
            == b"Hello, world"
        )
        assert (
            datagram_answer_on(echod.ports["udp"], b"Hello, world") == b"Hello, world"
        )
    assert "Traceback" not in echod.log


def test_existing_application_echoes(application: list[int]) -> None:
    """Three lines give an application an echo over TCP and over UDP."""
    _, tcp, udp = application
    assert half_closed_answer_on(tcp, b"Hello, world") == b"Hello, world"
    assert datagram_answer_on(udp, b"Hello, world") == b"Hello, world"


def test_existing_application_loses_nothing(application: list[int]) -> None:
    """Its echo returns all to a peer that half-closes, and the longest datagram."""
    _, tcp, udp = application
    assert half_closed_answer_on(tcp, bytes(60_000)) == bytes(60_000)
    assert datagram_answer_on(udp, bytes(65_507)) == bytes(65_507)


def test_existing_application_still_does_its_own(application: list[int]) -> None:
    """An application that has gained an echo does what it did before."""
    with socket.create_connection(("127.0.0.1", application[0]), PATIENCE_S) as opened:
        opened.sendall(b"Twisted\r\n")
        assert opened.makefile("rb").readline() == b"Hello, Twisted\r\n"


def test_fast_application_does_its_own(tmp_path: Path) -> None:
    """An application on a nested reactor does what it does on Twisted's."""
    command = (sys.executable, str(EXAMPLES / "fast_application.py"))
    with Daemon(tmp_path, listeners=0, command=command) as process:
        ((_, port),) = _LISTENING.findall(process.wait_for(_LISTENING.search))
        address = ("127.0.0.1", int(port))
        with socket.create_connection(address, PATIENCE_S) as opened:
            opened.sendall(b"Twisted\r\n")
            assert opened.makefile("rb").readline() == b"Hello, Twisted\r\n"
    assert "Traceback" not in process.log


def test_test_with_echod(tmp_path: Path) -> None:
    """The example of a test passes where nothing of echod's own tests is at hand."""
    shutil.copy(EXAMPLES / "test_with_echod.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "test_with_echod.py"],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
