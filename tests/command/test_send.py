"""The client as a process: ``echod send``."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from select import select

import pytest

import echod
from echod.errors import (
    EX_IOERR,
    EX_NOHOST,
    EX_PROTOCOL,
    EX_UNAVAILABLE,
    EX_USAGE,
)

from ..contract import payload
from ..support.daemon import BIN, Daemon
from ..support.network import Network
from ..support.program import (
    PATIENCE_S,
    SEND,
    Ended,
    assert_told,
    environment,
    redirected,
    run,
)
from ..support.stranger import (
    Behaviour,
    Stranger,
    answer_less,
    answer_more,
    answer_other_bytes,
    close_at_once,
    nobody,
    other_datagrams,
    reset,
    say_nothing,
    silent_datagrams,
)

ECHOD = str(BIN / "echod")
KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
PROTOCOLS = list(KINDS)
HELLO = b"Received b'Hello, world'\n"

# How a shell is said to end on Ctrl-C: 128 and the number of the signal.
INTERRUPTED = 130

#: Far more than the system's buffers hold between two processes.
BIG = 8 * 1024 * 1024

# What a datagram over IPv4 holds: 65,535 bytes less the headers' 28.
MAX_DATAGRAM = 65_507


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("daemon")) as running:
        yield running


@pytest.fixture(params=PROTOCOLS)
def target(request: pytest.FixtureRequest, daemon: Daemon) -> str:
    """An echo service over each of the protocols."""
    return f"{request.param}:127.0.0.1:{daemon.ports[request.param]}"


@pytest.fixture
def tcp(daemon: Daemon) -> str:
    return f"tcp:127.0.0.1:{daemon.ports['tcp']}"


@pytest.fixture
def udp(daemon: Daemon) -> str:
    return f"udp:127.0.0.1:{daemon.ports['udp']}"


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(payload(BIG))
    return path


def assert_echoed(ended: Ended, stdout: bytes) -> None:
    assert (0, stdout, "") == (ended.exit_code, ended.stdout, ended.stderr)


class TestText:
    """One text, there and back."""

    def test_lesson(self, target: str, tmp_path: Path) -> None:
        """Without a text, the lesson's goes there, and its line comes back."""
        assert_echoed(run(*SEND, target, folder=tmp_path), HELLO)

    def test_bare_target(self, tcp: str, tmp_path: Path) -> None:
        """A host and a port alone mean TCP."""
        ended = run(*SEND, tcp.removeprefix("tcp:"), folder=tmp_path)
        assert_echoed(ended, HELLO)

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_ipv6_target(self, protocol: str, tmp_path: Path) -> None:
        """An IPv6 address stands in brackets."""
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            pytest.skip(f"needs IPv6 on loopback: {error}")
        options = ("--host", "::1", "--port", "0", "--protocols", protocol)
        with Daemon(tmp_path, *options, listeners=1) as running:
            where = f"{protocol}:[::1]:{running.ports[protocol]}"
            assert_echoed(run(*SEND, where, folder=tmp_path), HELLO)

    @pytest.mark.parametrize("text", [b"", b"two words", b"\xff\xfe", b"--"])
    def test_text_of_ones_own(self, tcp: str, text: bytes, tmp_path: Path) -> None:
        """Every text goes there and back, the empty one and what is no UTF-8 too."""
        ended = run(*SEND, "--", tcp, text, folder=tmp_path)
        assert_echoed(ended, f"Received {text!r}\n".encode())

    def test_empty_text_over_udp(self, udp: str, tmp_path: Path) -> None:
        """An empty datagram is one, and comes back."""
        assert_echoed(run(*SEND, udp, "", folder=tmp_path), b"Received b''\n")

    def test_name_for_host(self, tcp: str, tmp_path: Path) -> None:
        """A name is looked up."""
        where = tcp.replace("127.0.0.1", "localhost")
        assert_echoed(run(*SEND, where, folder=tmp_path), HELLO)


class TestStandardInput:
    """With - instead of a text."""

    @pytest.mark.parametrize("size", [0, 3])
    def test_little(self, target: str, size: int, tmp_path: Path) -> None:
        """Standard input comes back byte for byte, and nothing with it."""
        sent = payload(size)
        assert_echoed(run(*SEND, target, "-", folder=tmp_path, stdin=sent), sent)

    def test_much_from_a_file(self, tcp: str, big: Path, tmp_path: Path) -> None:
        """A large file comes back as it was."""
        with big.open("rb") as stdin:
            ended = run(*SEND, tcp, "-", folder=tmp_path, stdin=stdin)
        assert_echoed_alike(ended)

    def test_much_from_a_pipe(self, tcp: str, tmp_path: Path) -> None:
        """Much from a pipe comes back as it was."""
        ended = run(*SEND, tcp, "-", folder=tmp_path, stdin=payload(BIG))
        assert_echoed_alike(ended)

    @pytest.mark.parametrize("protocol", ["tcp", "udp"])
    def test_unreadable(
        self, protocol: str, tcp: str, udp: str, tmp_path: Path
    ) -> None:
        """Standard input that cannot be read ends the exchange in one line."""
        with (tmp_path / "written").open("wb") as stdin:
            where = {"tcp": tcp, "udp": udp}[protocol]
            ended = run(*SEND, where, "-", folder=tmp_path, stdin=stdin)
        assert b"" == ended.stdout
        assert_told(ended, EX_IOERR, "standard input: ", "; want a file to read")

    def test_largest_datagram(self, udp: str, tmp_path: Path) -> None:
        """The largest datagram that there is comes back whole."""
        sent = payload(MAX_DATAGRAM)
        assert_echoed(run(*SEND, udp, "-", folder=tmp_path, stdin=sent), sent)

    @pytest.mark.parametrize("size", [MAX_DATAGRAM + 1, MAX_DATAGRAM + 1000])
    def test_too_large_for_a_datagram(
        self, udp: str, size: int, tmp_path: Path
    ) -> None:
        """What no datagram holds is wrong usage, and none of it is sent."""
        ended = run(*SEND, udp, "-", folder=tmp_path, stdin=payload(size))
        assert b"" == ended.stdout
        assert_told(ended, EX_USAGE, "bytes; want ")

    def test_closed(self, target: str, tmp_path: Path) -> None:
        """Standard input that is closed is told."""
        ended = run(*redirected("<&-", *SEND, target, "-"), folder=tmp_path)
        assert_told(ended, EX_IOERR, "standard input", "closed", "want ")

    def test_text_needs_none(self, target: str, tmp_path: Path) -> None:
        """Who gives a text needs no standard input."""
        ended = run(*redirected("<&-", *SEND, target), folder=tmp_path)
        assert_echoed(ended, HELLO)

    def test_write_only(self, target: str, tmp_path: Path) -> None:
        """Standard input that cannot be read is told."""
        with (tmp_path / "file").open("wb") as stdin:
            ended = run(*SEND, target, "-", folder=tmp_path, stdin=stdin)
        assert_told(ended, EX_IOERR, "standard input")

    def test_stays_blocking(self, tcp: str, tmp_path: Path) -> None:
        """Pipes that other programs share stay in blocking mode, the answer's too."""
        with ExitStack() as ends:
            stdin, to_send = pipe(ends)
            came_back, stdout = pipe(ends)
            process = ends.enter_context(
                subprocess.Popen(
                    [*SEND, tcp, "-"],
                    cwd=tmp_path,
                    env=environment(),
                    stdin=stdin,
                    stdout=stdout,
                )
            )
            ends.callback(process.kill)
            os.write(to_send, b"abc")
            assert select([came_back], [], [], PATIENCE_S)[0]
            assert b"abc" == os.read(came_back, 3)
            assert [0, 0] == [
                fcntl.fcntl(shared, fcntl.F_GETFL) & os.O_NONBLOCK
                for shared in (stdin, stdout)
            ]


def pipe(ends: ExitStack) -> tuple[int, int]:
    """The reading and the writing end of a pipe that ``ends`` closes."""
    opened = os.pipe()
    for end in opened:
        ends.callback(os.close, end)
    return opened


def assert_echoed_alike(ended: Ended) -> None:
    assert (0, "") == (ended.exit_code, ended.stderr)
    assert sha256(payload(BIG)).digest() == sha256(ended.stdout).digest()


both_modes = pytest.mark.parametrize("mode", [[], ["-"]], ids=["text", "stdin"])


class TestStandardOutput:
    """What cannot be written."""

    @both_modes
    def test_full(self, target: str, mode: list[str], tmp_path: Path) -> None:
        """A full device for the answer is told."""
        with Path("/dev/full").open("wb") as full:
            ended = run(
                *SEND, target, *mode, folder=tmp_path, stdin=b"abc", stdout=full
            )
        assert_told(ended, EX_IOERR, "standard output", "no space left on device")

    @both_modes
    def test_closed(self, target: str, mode: list[str], tmp_path: Path) -> None:
        """An answer that can go nowhere is told."""
        command = redirected(">&-", *SEND, target, *mode)
        ended = run(*command, folder=tmp_path, stdin=b"abc")
        assert_told(ended, EX_IOERR, "standard output", "closed")

    @both_modes
    def test_nobody_reads(self, target: str, mode: list[str], tmp_path: Path) -> None:
        """A pipe that nobody reads any more is told in one line."""
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "wb") as stdout:
            ended = run(
                *SEND, target, *mode, folder=tmp_path, stdin=b"abc", stdout=stdout
            )
        assert_told(ended, EX_IOERR, "standard output", "broken pipe")

    def test_reader_has_had_enough(self, tcp: str, big: Path, tmp_path: Path) -> None:
        """A reader that takes the first bytes only gets them, and one line says so."""
        with (
            big.open("rb") as stdin,
            subprocess.Popen(
                [*SEND, tcp, "-"],
                cwd=tmp_path,
                env=environment(),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as process,
        ):
            try:
                assert process.stdout is not None
                assert payload(BIG)[:5] == process.stdout.read(5)
                process.stdout.close()
                _, said = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
        ended = Ended(process.returncode, b"", said.decode(), 0.0)
        assert_told(ended, EX_IOERR, "standard output", "broken pipe")

    def test_full_stderr_keeps_the_exit_code(self, tmp_path: Path) -> None:
        """A message that nobody can take does not change how the process ends."""
        with Path("/dev/full").open("wb") as full:
            ended = run(*SEND, "nohost", folder=tmp_path, stderr=full)
        assert EX_USAGE == ended.exit_code

    def test_closed_stderr_keeps_the_answer_clean(self, tmp_path: Path) -> None:
        """A message never goes where the answer belongs."""
        ended = run(*redirected("2>&-", *SEND, "nohost"), folder=tmp_path)
        assert (EX_USAGE, b"") == (ended.exit_code, ended.stdout)


class TestStrangers:
    """What is no echo service."""

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_nobody_there(self, protocol: str, tmp_path: Path) -> None:
        """Where nobody listens the end comes at once, over UDP too."""
        with nobody(KINDS[protocol]) as port:
            where = f"{protocol}:127.0.0.1:{port}"
            ended = run(*SEND, where, "--timeout", "60", folder=tmp_path)
        assert_told(ended, EX_UNAVAILABLE, where, "connection refused", "want an echo")

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_unknown_host(self, protocol: str, tmp_path: Path) -> None:
        """A host without an address has an exit code of its own."""
        where = f"{protocol}:no.such.host.invalid:7"
        ended = run(*SEND, where, folder=tmp_path)
        assert_told(ended, EX_NOHOST, where, "does not resolve", "want a name")

    @both_modes
    def test_silent_stream(self, mode: list[str], tmp_path: Path) -> None:
        """A server that says nothing is given up after the timeout."""
        with Stranger(say_nothing) as server:
            where = f"tcp:127.0.0.1:{server.port}"
            ended = run(
                *SEND, "--timeout", "0.5", where, *mode, folder=tmp_path, stdin=b"abc"
            )
        assert_told(ended, EX_UNAVAILABLE, where, "no answer within 0.5 s")
        assert ended.took_s > 0.5

    def test_silent_datagrams(self, tmp_path: Path) -> None:
        """A port that never answers is given up after the timeout."""
        with silent_datagrams() as opened:
            where = f"udp:127.0.0.1:{opened.getsockname()[1]}"
            ended = run(*SEND, "--timeout", "0.5", where, folder=tmp_path)
            assert b"Hello, world" == opened.recv(100)
        assert_told(ended, EX_UNAVAILABLE, where, "no answer within 0.5 s")
        assert ended.took_s > 0.5

    def test_server_that_does_not_read(self, big: Path, tmp_path: Path) -> None:
        """A server that does not even take what is sent is given up as well."""
        with Stranger(say_nothing) as server, big.open("rb") as stdin:
            where = f"tcp:127.0.0.1:{server.port}"
            command = (*SEND, "--timeout", "0.5", where, "-")
            ended = run(*command, folder=tmp_path, stdin=stdin)
        assert_told(ended, EX_UNAVAILABLE, where, "no answer within 0.5 s")

    @both_modes
    @pytest.mark.parametrize("behave", [close_at_once, reset])
    def test_broken_connection(
        self, behave: Behaviour, mode: list[str], tmp_path: Path
    ) -> None:
        """A connection that ends before the answer is no echo."""
        with Stranger(behave) as server:
            where = f"tcp:127.0.0.1:{server.port}"
            ended = run(*SEND, where, *mode, folder=tmp_path, stdin=b"abc")
        assert_told(ended, EX_PROTOCOL, where, "want ")

    @both_modes
    @pytest.mark.parametrize(
        ("behave", "answer"),
        [
            (answer_other_bytes, b"hELLO, WORLD"),
            (answer_less, b"Hello, worl"),
            (answer_more, b"Hello, world!"),
        ],
    )
    def test_other_answer(
        self, behave: Behaviour, answer: bytes, mode: list[str], tmp_path: Path
    ) -> None:
        """Other, fewer or more bytes than were sent are no echo, and are shown."""
        with Stranger(behave) as server:
            where = f"tcp:127.0.0.1:{server.port}"
            ended = run(*SEND, where, *mode, folder=tmp_path, stdin=b"Hello, world")
        assert (answer if mode else f"Received {answer!r}\n".encode()) == ended.stdout
        assert_told(ended, EX_PROTOCOL, where, "want ")

    @both_modes
    def test_other_datagram(self, mode: list[str], tmp_path: Path) -> None:
        """A datagram with other bytes is no echo."""
        with other_datagrams() as port:
            where = f"udp:127.0.0.1:{port}"
            ended = run(*SEND, where, *mode, folder=tmp_path, stdin=b"abc")
        assert_told(ended, EX_PROTOCOL, where, "want the same")


class TestInterrupt:
    """Ctrl-C."""

    @both_modes
    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_interrupt(self, protocol: str, mode: list[str], tmp_path: Path) -> None:
        """Ctrl-C ends the waiting as it ends other commands, and nothing is said."""
        with (
            Stranger(say_nothing) as server,
            silent_datagrams() as opened,
            subprocess.Popen(
                [*SEND, "--timeout", "60", target_of(protocol, server, opened), *mode],
                cwd=tmp_path,
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as process,
        ):
            try:
                assert process.stdin is not None
                process.stdin.write(b"abc")
                if protocol == "udp":
                    process.stdin.close()  # The datagram is sent at its end.
                    process.stdin = None
                    opened.recv(100)
                else:
                    process.stdin.flush()
                    assert server.met.wait(PATIENCE_S)
                process.send_signal(signal.SIGINT)
                stdout, stderr = process.communicate(timeout=PATIENCE_S)
            finally:
                process.kill()
        assert (b"", b"") == (stdout, stderr.strip())
        assert INTERRUPTED == process.returncode


def target_of(protocol: str, server: Stranger, opened: socket.socket) -> str:
    port = server.port if protocol == "tcp" else opened.getsockname()[1]
    return f"{protocol}:127.0.0.1:{port}"


WRONG_TARGETS = {
    "nohost": "TARGET is nohost; want tcp:HOST:PORT",
    "x:y!": "TARGET x:y!: port is y!; want 1 to 65535",
    "tcp:h:0": "TARGET tcp:h:0: port is 0; want 1 to 65535",
    "tcp:h:70000": "TARGET tcp:h:70000: port is 70000; want 1 to 65535",
    "ssl:h:1": "TARGET is ssl:h:1; want tcp:HOST:PORT",
    "[::1:5": "TARGET is [::1:5; want tcp:HOST:PORT",
    "": "TARGET is ''; want tcp:HOST:PORT",
    "h\n:\n1": r"h\n:\n1",
}


class TestUnix:
    """Services on the same machine."""

    @pytest.fixture
    def local(self, tmp_path: Path) -> Iterator[Network]:
        """A service with UNIX sockets, which has the abstract names for itself."""
        names = [f"{kind}:{name}" for kind, name in UNIX_NAMES]
        listen = [it for name in names for it in ("--listen", name)]
        daemon = Daemon(tmp_path, *listen, listeners=len(names))
        with Network() as network, network.inside(daemon):
            yield network

    def test_text(self, local: Network, tmp_path: Path) -> None:
        """Streams and datagrams, by a path and by an abstract name."""
        for kind, name in UNIX_NAMES:
            target = f"{kind}:{name}"
            ended = local.call(run, *SEND, target, folder=tmp_path)
            assert (0, HELLO, "") == ended[:3], target

    @pytest.mark.parametrize("kind", ["unix", "unixgram"])
    def test_nobody_there(self, kind: str, tmp_path: Path) -> None:
        """A socket that is not there is told in one line."""
        ended = run(*SEND, f"{kind}:none.sock", folder=tmp_path)
        words = (f"{kind}:none.sock: no such file or directory", "want ")
        assert_told(ended, EX_UNAVAILABLE, *words)


UNIX_NAMES = [
    ("unix", "echo.sock"),
    ("unix", "@echo"),
    ("unixgram", "datagram.sock"),
    ("unixgram", "@datagram"),
]

WRONG_TLS = {
    "no TLS": (["--ca", "x", "h:1"], "TARGET is tcp:h:1; want tls:HOST:PORT with --ca"),
    "insecure without TLS": (
        ["--insecure", "udp:h:1"],
        "TARGET is udp:h:1; want tls:HOST:PORT with --insecure",
    ),
    "key alone": (["--key", "k", "tls:h:1"], "--key is k; want --cert as well"),
    "insecure with authority": (
        ["--insecure", "--ca", "x", "tls:h:1"],
        "--insecure is yes; want no --ca beside it",
    ),
}


class TestUsage:
    """Wrong command lines, and those that ask."""

    @pytest.mark.parametrize(("target", "message"), WRONG_TARGETS.items())
    def test_wrong_target(self, target: str, message: str, tmp_path: Path) -> None:
        """A target that means nothing is told with what would mean something."""
        assert_told(run(*SEND, target, folder=tmp_path), EX_USAGE, message)

    @pytest.mark.parametrize(("words", "message"), WRONG_TLS.values(), ids=WRONG_TLS)
    def test_wrong_tls(self, words: list[str], message: str, tmp_path: Path) -> None:
        """Options of TLS that cannot be together are told."""
        assert_told(run(*SEND, *words, folder=tmp_path), EX_USAGE, message)

    @pytest.mark.parametrize("timeout", ["0", "-1", "x", "nan"])
    def test_wrong_timeout(self, timeout: str, tmp_path: Path) -> None:
        """A time that never comes is refused before anything is sent."""
        ended = run(*SEND, "--timeout", timeout, "h:1", folder=tmp_path)
        assert_told(ended, EX_USAGE, "--timeout", timeout)

    @pytest.mark.parametrize("arguments", [[], ["h:1", "text", "more"]])
    def test_wrong_arguments(self, arguments: list[str], tmp_path: Path) -> None:
        """Too few and too many arguments are wrong usage."""
        assert_told(run(*SEND, *arguments, folder=tmp_path), EX_USAGE)

    def test_unknown_command(self, tmp_path: Path) -> None:
        """A command that there is not is told by its name."""
        ended = run(ECHOD, "nosuch", folder=tmp_path)
        assert_told(ended, EX_USAGE, "nosuch")

    def test_no_command(self, tmp_path: Path) -> None:
        """Who names no command is shown which ones there are, as wrong usage."""
        ended = run(ECHOD, folder=tmp_path)
        assert (EX_USAGE, b"") == (ended.exit_code, ended.stdout)
        assert ended.stderr.startswith("Usage: echod [OPTIONS] COMMAND")
        assert "\n  send " in ended.stderr
        assert "\n  serve " in ended.stderr

    def test_help(self, tmp_path: Path) -> None:
        """Help names the commands."""
        ended = run(ECHOD, "--help", folder=tmp_path)
        assert (0, "") == (ended.exit_code, ended.stderr)
        assert b"\n  send " in ended.stdout
        assert b"\n  serve " in ended.stdout

    def test_help_of_send(self, tmp_path: Path) -> None:
        """The client's help tells its arguments and what its exit codes mean."""
        ended = run(*SEND, "--help", folder=tmp_path)
        assert (0, "") == (ended.exit_code, ended.stderr)
        for word in (b"TARGET", b"TEXT", b"--timeout", b" 76 ", b" 69 ", b" 68 "):
            assert word in ended.stdout

    @pytest.mark.parametrize(
        "command", [(ECHOD,), (sys.executable, "-m", "echod")], ids=["echod", "python"]
    )
    def test_version(self, command: tuple[str, ...], tmp_path: Path) -> None:
        """The version is echod's own, however it is started."""
        ended = run(*command, "--version", folder=tmp_path)
        assert_echoed(ended, f"echod {echod.__version__}\n".encode())
