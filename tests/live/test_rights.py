"""Rights that are there for binding, and gone afterwards."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest

from ..support.asker import datagram_answer_on
from ..support.connection import half_closed_answer_on
from ..support.daemon import BIN, Daemon

NOBODY = "65534"


def free_reserved_port() -> int:
    """A port below 1024 that nothing has, for TCP and UDP."""
    for port in range(700, 1024):
        with (
            closing(socket.socket(type=socket.SOCK_STREAM)) as stream,
            closing(socket.socket(type=socket.SOCK_DGRAM)) as datagram,
        ):
            try:
                stream.bind(("127.0.0.1", port))
                datagram.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port from 700 to 1023 is taken")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to change its user")
def test_rights_are_given_up_after_binding(tmp_path: Path) -> None:
    """With --uid, a reserved port is bound by root and served by somebody else."""
    port = free_reserved_port()
    user = ("--uid", NOBODY, "--gid", NOBODY)
    command = (str(BIN / "twistd"), "-n", "--pidfile=", *user, "echod")
    with Daemon(tmp_path, "--port", str(port), command=command) as daemon:
        # It says that it listens while it is still root; whoever answers no longer is.
        assert b"Hello" == half_closed_answer_on(port, b"Hello")
        assert b"Hello" == datagram_answer_on(port, b"Hello")
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        assert ["Uid:", *[NOBODY] * 4] == status[status.index("Uid:") :].split()[:5]
        assert "Traceback" not in daemon.log
