"""Echo over standard input and output."""

import hashlib
import subprocess
import sys

import pytest

from ..contract import payload

PROGRAM = """if True:
    from twisted.internet import reactor
    from twisted.internet.stdio import StandardIO
    from echod import EchoProtocol

    class Observer:
        def connection_made(self, connection):
            pass

        def connection_lost(self, connection, reason):
            reactor.callLater(0, reactor.stop)

    StandardIO(EchoProtocol(Observer()), reactor=reactor)
    reactor.run()
"""


@pytest.mark.parametrize("size", [0, 1, 65_537, 5_000_000])
def test_pipe_comes_back(size: int) -> None:
    """What goes into standard input comes out of standard output, to the end."""
    sent = payload(size)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=sent,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (0, b"") == (done.returncode, done.stderr)
    assert hashlib.sha256(sent).digest() == hashlib.sha256(done.stdout).digest()


def test_reader_that_leaves_ends_the_program() -> None:
    """A program that nobody reads any longer ends, though there is more to read."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b"x" * 1000)
        program.stdin.flush()
        assert b"x" * 10 == program.stdout.read(10)
        program.stdout.close()
        program.stdin.write(b"y")
        program.stdin.flush()
        assert 0 == program.wait(10)
