"""``twistd echod`` without -n: a daemon that outlives who started it."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from echod.errors import EX_NOPERM, EX_USAGE

from ..support.asker import datagram_answer_on
from ..support.connection import half_closed_answer_on
from ..support.daemon import BIN
from ..support.program import Ended, run, running_in, without

_PATIENCE_S = 10.0


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where the daemon runs; whatever is still running there at the end is ended."""
    yield tmp_path
    for pid in running_in(tmp_path):
        os.kill(pid, signal.SIGKILL)


def daemonize(folder: Path, *options: str) -> Ended:
    """Start a daemon, and wait until whoever started it goes home."""
    files = ("--pidfile", "echod.pid", "--logfile", "echod.log")
    return run(str(BIN / "twistd"), *files, "echod", *options, folder=folder)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def nothing_runs(folder: Path) -> bool:
    return not list(running_in(folder))


def ports(folder: Path) -> dict[str, int]:
    """The ports that the log speaks of, by protocol."""
    log = (folder / "echod.log").read_text()
    return {it[1]: int(it[2]) for it in re.finditer(r"Listening on (\w+):(\d+)", log)}


def test_daemon_lives_and_ends(home: Path) -> None:
    """
    The start is over when the ports are open; the pid file names who answers, and
    goes away with it.
    """
    started = daemonize(home, "--port", "0")
    assert (0, b"", "") == started[:3]
    pid = int((home / "echod.pid").read_text())
    assert [pid] == list(running_in(home))
    port = ports(home)
    assert b"Hello" == half_closed_answer_on(port["tcp"], b"Hello")
    assert b"Hello" == datagram_answer_on(port["udp"], b"Hello")

    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: nothing_runs(home), "the daemon does not end")
    assert ["echod.log"] == [it.name for it in home.iterdir()]
    assert "Traceback" not in (home / "echod.log").read_text()


def test_port_in_use_is_told_to_the_terminal(home: Path) -> None:
    """The start fails in the terminal, and leaves neither a process nor a pid file."""
    daemonize(home, "--port", "0")
    port = ports(home)["tcp"]
    second = home / "second"
    second.mkdir()

    refused = daemonize(second, "--port", str(port))
    assert refused.exit_code > 0
    reason = f"cannot listen on tcp:{port}:interface=127.0.0.1: address already in use"
    first_line, second_line = refused.stderr.splitlines()
    assert reason in first_line
    assert "Please look at log file" in second_line
    # Twisted's parent is told before the child has cleared up.
    wait_until(lambda: nothing_runs(second), "a process is left")
    assert ["echod.log"] == [it.name for it in second.iterdir()]
    log = (second / "echod.log").read_text()
    assert f"{reason}; want a port that nothing else listens on\n" in log
    assert "Traceback" not in log


def test_wrong_usage_is_told_to_the_terminal(home: Path) -> None:
    """A wrong command line is refused before there is a daemon."""
    refused = daemonize(home, "--port", "x!")
    assert (EX_USAGE, b"") == refused[:2]
    assert (
        "echod: --port is x!; want 0 to 65535, or the name of a service\n"
        == refused.stderr
    )
    assert [] == list(home.iterdir())
    assert nothing_runs(home)


@pytest.mark.peer("setpriv")
def test_locked_working_directory_takes_no_log(home: Path) -> None:
    """Without a word about the log it goes to where twistd is started, if it can."""
    rights = without("dac_override", "dac_read_search")
    home.chmod(0o555)
    try:
        command = (*rights, str(BIN / "twistd"), "--pidfile=", "echod", "--port", "0")
        refused = run(*command, folder=home)
    finally:
        home.chmod(0o755)
    assert (EX_NOPERM, b"") == refused[:2]
    assert 1 == len(refused.stderr.splitlines()), refused.stderr
    for word in ("--logfile", "twistd.log", str(home), "want another place"):
        assert word in refused.stderr
    assert nothing_runs(home)
