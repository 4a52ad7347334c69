"""What ``UnixDatagramPort`` does beyond the contract."""

import array
import errno
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.address import UNIXAddress
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import LogEvent
from twisted.python.failure import Failure

from echod import EchoDatagramProtocol
from echod.policy.source import LocalGuard, Refusal
from echod.transport.datagram import DATAGRAMS_PER_WAKE
from echod.transport.nested import NestedReactor
from echod.transport.sockets.unix import open_unix
from echod.transport.unixgram import ForeignName, UnixDatagramPort
from echod.wire.local import UnixListener

from ..support.descriptors import descriptors
from ..support.ends import turn
from ..support.switchboard import Switchboard

MOST_BUFFER_BYTES = int(Path("/proc/sys/net/core/wmem_max").read_text())

#: unix(7): so many datagrams wait, and one more, before a sender has to.
QUEUE = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text()) + 1

#: Somebody who is neither root nor who runs the tests.
STRANGER = 12_345


class Recorder(DatagramProtocol):
    """Keeps what it gets, and answers if it is told to."""

    noisy = False
    transport: Any

    def __init__(self) -> None:
        self.received: list[tuple[bytes, Any]] = []
        self.answers = True

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.received.append((datagram, addr))
        if self.answers:
            self.transport.write(datagram, addr)


class FailingSocket:
    """A real socket whose next call of one method fails."""

    def __init__(self, real: socket.socket, method: str, number: int) -> None:
        self._real, self._method = real, method
        self._errors = [OSError(number, os.strerror(number))]

    def __getattr__(self, name: str) -> Any:
        if name == self._method and self._errors:
            return self._fail
        return getattr(self._real, name)

    def _fail(self, *_: object) -> None:
        raise self._errors.pop()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "echo.sock"


def opened_port(path: Path, protocol: DatagramProtocol, runs: Any) -> UnixDatagramPort:
    """A port whose file is the test's to remove."""
    made = open_unix(UnixListener(protocol="unixgram", path=str(path)))
    port = UnixDatagramPort.from_socket(made.socket, protocol, runs)
    port.startListening()
    return port


@pytest_twisted.async_yield_fixture(params=["stock", "fast"])
async def port(
    request: pytest.FixtureRequest, path: Path, recorder: Recorder
) -> AsyncIterator[UnixDatagramPort]:
    runs: Any = reactor
    if request.param == "fast":
        runs = NestedReactor(IReactorFDSet(reactor))
    made = opened_port(path, recorder, runs)
    yield made
    await made.stopListening()


@pytest.fixture
def client(
    path: Path,
    port: UnixDatagramPort,  # noqa: ARG001 - it must be there first
) -> Iterator[socket.socket]:
    with bound(path.with_name("client.sock"), path) as made:
        yield made


def unconnected(name: Path | str) -> socket.socket:
    """A client with a name."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    # With a timeout Python waits until three quarters of the buffer are free.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_BUFFER_BYTES)
    made.settimeout(5)
    made.bind(str(name))
    return made


def bound(name: Path | str, server: Path) -> socket.socket:
    """A client with a name, connected to the server."""
    made = unconnected(name)
    made.connect(str(server))
    return made


class TestDatagrams:
    async def test_answer_comes_from_the_asked_path(
        self, port: UnixDatagramPort, client: socket.socket, path: Path
    ) -> None:
        """A client that looks where an answer comes from sees the path it asked."""
        client.send(b"who?")
        await turn()
        assert (b"who?", str(path)) == client.recvfrom(100)
        assert UNIXAddress(str(path)) == port.getHost()
        assert str(path) in repr(port)

    async def test_longest(self, port: UnixDatagramPort, client: socket.socket) -> None:
        """What the system lets a client send comes back, however long it is."""
        # The system needs 32 bytes of the buffer, and at some length has no more pages.
        size = client.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - 32
        while True:
            sent = os.urandom(1024) * (size // 1024)
            try:
                client.send(sent)
            except OSError:
                size //= 2
            else:
                break
        await turn()
        assert sent == client.recv(len(sent) + 1)
        assert len(sent) > 100_000

    async def test_order_and_edges(
        self, port: UnixDatagramPort, client: socket.socket
    ) -> None:
        """Empty ones among others come back where they were."""
        sent = [b"", b"a", b"", b"", b"bc" * 40_000, b""]
        for datagram in sent:
            client.send(datagram)
        await turn()
        assert sent == [client.recv(100_000) for _ in sent]

    async def test_abstract_and_automatic_names(
        self, port: UnixDatagramPort, path: Path
    ) -> None:
        """A client needs no file to get an answer."""
        for name in (f"\0echod-test-{os.getpid()}", ""):
            with bound(name, path) as client:
                client.send(b"x")
                await turn()
                assert b"x" == client.recv(10)

    async def test_names_of_any_bytes(self, port: UnixDatagramPort, path: Path) -> None:
        """The path of a client is no text, and no IP address."""
        name = os.fsdecode(os.fsencode(path.parent) + b"/\xff:\n")
        with bound(name, path) as client:
            client.send(b"x")
            await turn()
            assert b"x" == client.recv(10)

    async def test_source_without_a_name(
        self, port: UnixDatagramPort, recorder: Recorder, path: Path
    ) -> None:
        """A client that has no name cannot be answered, which is counted."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", str(path))
            client.sendto(b"", str(path))
            await turn()
        assert [(b"x", None), (b"", None)] == recorder.received
        assert {"ENOTCONN": 2} == port.counters.unsent

    async def test_source_that_has_gone(
        self, port: UnixDatagramPort, client: socket.socket, path: Path
    ) -> None:
        """What nobody can take any more is counted: no file, or one of nobody's."""
        for is_removed in (True, False):
            name = path.with_name("gone.sock")
            with bound(name, path) as other:
                other.send(b"x")
            if is_removed:
                remove(name)
            await turn()
        client.send(b"y")
        await turn()
        assert b"y" == client.recv(10)
        assert {"ENOENT": 1, "ECONNREFUSED": 1} == port.counters.unsent

    async def test_slow_client_holds_up_nobody(
        self, port: UnixDatagramPort, client: socket.socket, path: Path
    ) -> None:
        """A client that takes nothing loses answers, and the others none."""
        with unconnected(path.with_name("slow.sock")) as slow:
            for _ in range(QUEUE + 5):
                slow.sendto(b"slow", str(path))
                await turn()
            client.send(b"quick")
            await turn()
            assert b"quick" == client.recv(10)
            assert {"EAGAIN": 5} == port.counters.unsent
            assert [b"slow"] * QUEUE == [slow.recv(10) for _ in range(QUEUE)]
            slow.sendto(b"again", str(path))
            await turn()
            assert b"again" == slow.recv(10)

    async def test_full_buffer_is_over_when_it_is_read(
        self, port: UnixDatagramPort, client: socket.socket, path: Path
    ) -> None:
        """One client can use up the send buffer; it is free again when that ends."""
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        with bound(path.with_name("hog.sock"), path) as hog:
            while not port.counters.unsent:
                hog.send(bytes(1000))
                await turn()
            client.send(b"lost")
            await turn()
            assert {"EAGAIN": 2} == port.counters.unsent
        client.send(b"answered")
        await turn()
        assert b"answered" == client.recv(10)

    async def test_descriptors_are_closed(
        self, port: UnixDatagramPort, client: socket.socket, recorder: Recorder
    ) -> None:
        """Files that come along do not stay open, and the datagram is answered."""
        before = descriptors()
        for count in (1, 2, 253):
            files = array.array("i", [client.fileno()] * count)
            client.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
            await turn()
            assert b"x" == client.recv(10)
            assert before == descriptors()
        assert not port.counters.unread


def remove(path: Path) -> None:
    path.unlink()


class TestTurns:
    def test_64_a_wake(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """However many wait, and however small, one wake takes 64."""
        recorder = Recorder()
        recorder.answers = False
        port = opened_port(tmp_path / "s", recorder, Switchboard())
        real = port.socket
        waiting = [b""] * (2 * DATAGRAMS_PER_WAKE)

        class Busy:
            """The system takes 11 at most; this is one with more patience."""

            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

            def recv_into(self, *_: object) -> int:
                return len(waiting[0])

            def recvmsg(self, *_: object) -> Any:
                return waiting.pop(), [], 0, b"\0name"

        monkeypatch.setattr(port, "socket", Busy())
        port.doRead()
        assert DATAGRAMS_PER_WAKE == 64 == len(recorder.received)
        monkeypatch.undo()
        port.stopListening()
        port.connectionLost()

    @given(
        st.lists(
            st.tuples(st.binary(max_size=9), st.booleans()), max_size=3 * (QUEUE - 1)
        )
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_traffic(
        self, tmp_path: Path, traffic: list[tuple[bytes, bool]]
    ) -> None:
        """Whatever comes, and whenever it is read, each comes back once, in order."""
        path = tmp_path / "s"
        port = opened_port(path, EchoDatagramProtocol(), Switchboard())
        sent: list[bytes] = []
        answers: list[bytes] = []
        with bound("", path) as client:
            client.setblocking(False)
            for datagram, is_read in traffic:
                if len(sent) - len(answers) < QUEUE:
                    client.send(datagram)
                    sent.append(datagram)
                if is_read:
                    port.doRead()
                    answers += list(waiting(client))
            port.doRead()
            answers += list(waiting(client))
        port.stopListening()
        port.connectionLost()
        path.unlink()
        assert sent == answers


def waiting(client: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield client.recv(100)
        except BlockingIOError:
            return


class TestFailures:
    @pytest.mark.parametrize("method", ["recv_into", "recvmsg"])
    @pytest.mark.parametrize("number", [errno.ENOMEM, errno.ENOBUFS, errno.ECONNRESET])
    async def test_failed_receive_is_counted_and_forgotten(
        self, port: UnixDatagramPort, client: socket.socket, method: str, number: int
    ) -> None:
        """After any failed receive the next datagram is answered."""
        made: Any = FailingSocket(port.socket, method, number)
        port.socket = made
        client.send(b"still there?")
        await turn()
        await turn()
        assert b"still there?" == client.recv(100)
        assert {errno.errorcode[number]: 1} == port.counters.unread

    @pytest.mark.parametrize(
        "number", [errno.ENOBUFS, errno.EAGAIN, errno.EMSGSIZE, errno.EACCES]
    )
    async def test_failed_send_is_counted_and_forgotten(
        self, port: UnixDatagramPort, client: socket.socket, number: int
    ) -> None:
        """An answer that the system refuses costs one count; the next one passes."""
        made: Any = FailingSocket(port.socket, "sendto", number)
        port.socket = made
        client.send(b"first")
        client.send(b"second")
        await turn()
        assert b"second" == client.recv(100)
        assert {errno.errorcode[number]: 1} == port.counters.unsent

    async def test_pending_error_does_not_end_the_port(
        self, port: UnixDatagramPort, client: socket.socket
    ) -> None:
        """What the reactor takes for the end of the socket is one count."""
        cast("Any", port).reactor.removeReader(port)
        port.connectionLost(Failure(ConnectionLost()))
        client.send(b"still there?")
        await turn()
        assert b"still there?" == client.recv(100)
        assert 1 == port.counters.unread.total()

    async def test_failing_protocol_does_not_end_the_port(
        self,
        port: UnixDatagramPort,
        recorder: Recorder,
        client: socket.socket,
        errors: list[LogEvent],
    ) -> None:
        """An exception of the protocol is logged, and the next datagram is answered."""
        recorder.received = cast("Any", None)
        client.send(b"first")
        await turn()
        recorder.received = []
        client.send(b"second")
        await turn()
        assert b"second" == client.recv(100)
        (event,) = errors
        assert isinstance(event["log_failure"].value, AttributeError)
        errors.clear()

    async def test_traffic_is_not_logged(
        self, port: UnixDatagramPort, client: socket.socket, lines: list[str]
    ) -> None:
        """Neither what passes nor what fails writes a line."""
        client.send(b"x")
        port.write(b"y", "/does/not/exist")
        await turn()
        assert [] == lines

    async def test_stopped_port_takes_nothing_more(
        self, path: Path, recorder: Recorder
    ) -> None:
        """A protocol that stops its port gets no more of what waits."""
        port = opened_port(path, recorder, reactor)
        stopped = []

        def stop(datagram: bytes, addr: object) -> None:  # noqa: ARG001
            stopped.append((datagram, port.stopListening()))

        recorder.datagramReceived = stop  # type: ignore[method-assign]
        with bound("", path) as client:
            client.send(b"one")
            client.send(b"two")
            port.doRead()
        ((datagram, closed),) = stopped
        await closed
        assert b"one" == datagram

    async def test_nothing_is_left_open(self, path: Path, recorder: Recorder) -> None:
        """A port closes its socket, and says so."""
        before = descriptors()
        port = opened_port(path, recorder, reactor)
        assert "UNIX" in port.logPrefix()
        await port.stopListening()
        assert before == descriptors()
        assert "not listening" in repr(port)


class TestOtherUsers:
    """Senders who may not do what echod may."""

    async def test_their_own_socket_is_answered(
        self, port: UnixDatagramPort, client: socket.socket, recorder: Recorder
    ) -> None:
        """Another user's path is good while that user's socket is there."""
        port._trusted_uids.clear()
        client.send(b"x")
        await turn()
        ((_, addr),) = recorder.received
        assert (client.getsockname(), os.getuid()) == (addr, addr.uid)
        assert b"x" == client.recv(10)

    async def test_unknown_user_gets_nothing(
        self, port: UnixDatagramPort, client: socket.socket
    ) -> None:
        """Where another process has it that the system does not tell, nobody is."""
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        client.send(b"x")
        await turn()
        assert {"EPERM": 1} == port.counters.unsent

    async def test_what_is_not_theirs_gets_nothing(
        self, port: UnixDatagramPort, client: socket.socket, path: Path
    ) -> None:
        """A path at which somebody else's socket has come to be is not answered."""
        before = descriptors()
        for name, uid in (
            (client.getsockname(), STRANGER),
            (str(path.with_name("none")), STRANGER),
            (str(path.parent), os.geteuid()),
        ):
            foreign = ForeignName(name)
            foreign.uid = uid
            port.write(b"x", foreign)
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(10)
        assert {"EPERM": 1, "ENOENT": 1, "ECONNREFUSED": 1} == port.counters.unsent
        assert before == descriptors()

    async def test_link_in_the_place_of_their_socket_gets_nothing(
        self, port: UnixDatagramPort, client: socket.socket, path: Path
    ) -> None:
        """A link is not followed to where it leads."""
        link = path.with_name("link")
        make_link(link, client.getsockname())
        foreign = ForeignName(link)
        foreign.uid = os.geteuid()
        port.write(b"x", foreign)
        assert 1 == port.counters.unsent.total()

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root")
    async def test_echod_does_not_write_for_others(
        self, port: UnixDatagramPort, recorder: Recorder, path: Path
    ) -> None:
        """Who makes a link of their path has it write nowhere; others are answered."""
        recorder.answers = False
        names = [path.with_name("good.sock"), path.with_name("bad.sock")]
        with (
            bound(path.with_name("secret.sock"), path) as secret,
            bound(names[0], path) as good,
            bound(names[1], path) as bad,
        ):
            for name, client in zip(names, (good, bad), strict=True):
                os.chown(name, STRANGER, STRANGER)
                # What the system tells of a sender is the real uid.
                os.setresuid(STRANGER, 0, 0)
                try:
                    client.send(b"stranger's")
                finally:
                    os.setresuid(0, 0, 0)
            remove(names[1])
            make_link(names[1], secret.getsockname())
            await turn()
            assert [STRANGER] * 2 == [addr.uid for _, addr in recorder.received]
            for datagram, addr in recorder.received:
                port.write(datagram, addr)
            assert b"stranger's" == good.recv(100)
            secret.setblocking(False)
            with pytest.raises(BlockingIOError):
                secret.recv(100)
        assert {"EPERM": 1} == port.counters.unsent


def make_link(link: Path, target: str) -> None:
    link.symlink_to(target)


class TestLoops:
    """echod does not talk to itself."""

    async def test_own_name_gets_no_answer(self, path: Path) -> None:
        """A client whose path becomes a link to echod's own starts no loop."""
        protocol = EchoDatagramProtocol()
        port = opened_port(path, protocol, reactor)
        name = path.with_name("client.sock")
        with bound(name, path) as client:
            client.send(b"round and round")
            remove(name)
            make_link(name, str(path))
            for _ in range(5):
                await turn()
        await port.stopListening()
        assert 1 == protocol.counters.answered
        assert {Refusal.OWN_NAME: 1} == protocol.counters.refused

    async def test_two_ports_of_one_service(self, path: Path) -> None:
        """Nor do two of its sockets talk to one another."""
        paths = path, path.with_name("other.sock")
        guard = LocalGuard(map(str, paths))
        protocols = [EchoDatagramProtocol(guard) for _ in paths]
        ports = [
            opened_port(at, protocol, reactor)
            for at, protocol in zip(paths, protocols, strict=True)
        ]
        name = path.with_name("client.sock")
        with bound(name, path) as client:
            client.send(b"to and fro")
            remove(name)
            make_link(name, str(paths[1]))
            for _ in range(5):
                await turn()
        for port in ports:
            await port.stopListening()
        assert [1, 0] == [it.counters.answered for it in protocols]
        assert {Refusal.OWN_NAME: 1} == protocols[1].counters.refused

    async def test_abstract_name(self) -> None:
        """The same holds for a name without a file."""
        name = f"echod-loop-{os.getpid()}"
        made = open_unix(UnixListener(protocol="unixgram", path=f"@{name}"))
        protocol = EchoDatagramProtocol()
        port = UnixDatagramPort.from_socket(
            made.socket, protocol, IReactorFDSet(reactor)
        )
        port.startListening()
        port.write(b"to itself", b"\0" + name.encode())
        for _ in range(3):
            await turn()
        await port.stopListening()
        assert {Refusal.OWN_NAME: 1} == protocol.counters.refused

    async def test_client_without_a_name_is_refused(self, path: Path) -> None:
        """A protocol counts it by its reason."""
        protocol = EchoDatagramProtocol()
        port = opened_port(path, protocol, reactor)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", str(path))
            await turn()
        await port.stopListening()
        assert {Refusal.NO_NAME: 1} == protocol.counters.refused
        assert not port.counters.unsent


def started(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.peer("socat")
async def test_socat(path: Path) -> None:
    """socat, which looks where an answer comes from, gets its own."""
    port = opened_port(path, EchoDatagramProtocol(), reactor)
    name = path.with_name("socat.sock")
    asked = started("socat", "-t5", "-", f"UNIX-SENDTO:{path},bind={name}")
    assert asked.stdin is not None
    assert asked.stdout is not None
    with asked, asked.stdin as said, asked.stdout as heard:
        said.write(b"Hello, world")
        said.flush()
        os.set_blocking(heard.fileno(), False)
        while not (answer := heard.read(100)):
            await turn()
        assert b"Hello, world" == answer
        asked.terminate()
    await port.stopListening()
