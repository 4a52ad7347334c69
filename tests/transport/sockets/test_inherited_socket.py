"""What a descriptor is, and what is done with it before it is served."""

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.interfaces import IReactorFDSet

from echod.echo.datagram import EchoDatagramProtocol
from echod.policy.source import SourceGuard
from echod.transport.batched.port import BatchedDatagramPort
from echod.transport.datagram import DatagramPort
from echod.transport.sockets.inherited_socket import InheritedSocket, NoSocket

from ...support.activation import FORMS, Sockets
from ...support.ends import turn

IPPROTO_MPTCP = 262

# asm-generic/socket.h; what systemd sets for Timestamping=us and Timestamping=ns.
SO_TIMESTAMP = 29
SO_TIMESTAMPNS = 35


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Sockets]:
    with Sockets(tmp_path) as sockets:
        yield sockets


class TestServed:
    """What can be served."""

    @pytest.mark.parametrize("form", FORMS)
    def test_form(self, opened: Sockets, form: str) -> None:
        """Streams and datagrams of three families are known for what they are."""
        given = opened.open(form)
        it = InheritedSocket.look_at(given.fileno())
        family, kind = FORMS[form]
        assert (given.fileno(), family, kind, None) == (
            it.descriptor,
            it.family,
            it.kind,
            it.problem,
        )
        assert family.name == f"AF_{it.domain}"
        assert ("stream" if kind == socket.SOCK_STREAM else "datagram") == it.type

    def test_address(self, opened: Sockets, tmp_path: Path) -> None:
        """An address reads as the description of a listener that opens it itself."""
        at = {form: opened.open(form) for form in FORMS}
        port = {form: it.getsockname()[1] for form, it in at.items()}
        told = {
            form: InheritedSocket.look_at(it.fileno()).address
            for form, it in at.items()
        }
        assert {
            "tcp4": f"tcp:{port['tcp4']}:interface=127.0.0.1",
            "tcp6": rf"tcp:{port['tcp6']}:interface=\:\:1",
            "udp4": f"udp:{port['udp4']}:interface=127.0.0.1",
            "udp6": rf"udp:{port['udp6']}:interface=\:\:1",
            "unix": f"unix:{tmp_path}/unix",
            "unixgram": f"unixgram:{tmp_path}/unixgram",
        } == told

    def test_abstract_address(self) -> None:
        """A name in the abstract namespace begins with an @."""
        with socket.socket(socket.AF_UNIX) as given:
            given.bind(b"\0echod-" + str(os.getpid()).encode())
            given.listen()
            it = InheritedSocket.look_at(given.fileno())
        assert f"unix:@echod-{os.getpid()}" == it.address

    def test_mptcp(self) -> None:
        """Multipath TCP (SocketProtocol=mptcp) is TCP to those who connect."""
        try:
            given = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        except OSError as error:
            pytest.skip(f"needs a kernel with MPTCP: {error}")
        with given:
            given.bind(("127.0.0.1", 0))
            given.listen()
            assert InheritedSocket.look_at(given.fileno()).problem is None

    def test_connected_datagrams(self, opened: Sockets) -> None:
        """A datagram socket that is connected serves its one peer."""
        given = opened.open("udp4")
        given.connect(("127.0.0.1", 9))
        assert InheritedSocket.look_at(given.fileno()).problem is None


def idle_stream() -> socket.socket:
    given = socket.socket()
    given.bind(("127.0.0.1", 0))
    return given


def unix_pair(kind: socket.SocketKind) -> socket.socket:
    given, other = socket.socketpair(socket.AF_UNIX, kind)
    other.close()
    return given


def other_protocol() -> socket.socket:
    """An Internet socket that is neither TCP nor UDP."""
    for kind, protocol in (
        (socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE),
        (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
        (socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
    ):
        with suppress(OSError):
            return socket.socket(socket.AF_INET, kind, protocol)
    pytest.skip("needs a kernel with UDP-Lite, SCTP or the right to ping")


class TestNotServed:
    """What cannot be served, and what is said of it."""

    @pytest.mark.parametrize(
        ("opening", "problem", "wanted"),
        [
            (idle_stream, "a stream socket that does not listen", "one that does"),
            (
                lambda: unix_pair(socket.SOCK_STREAM),
                "a connection",
                "a socket that listens (Accept=no in a socket unit)",
            ),
            (
                lambda: unix_pair(socket.SOCK_SEQPACKET),
                "a SOCK_SEQPACKET socket",
                "a stream or a datagram socket",
            ),
            (
                lambda: unix_pair(socket.SOCK_DGRAM),
                "bound to no address",
                "one that is",
            ),
            (
                lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
                "bound to no address",
                "one that is",
            ),
            (
                lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM),
                "a socket of the family AF_NETLINK",
                "INET, INET6 or UNIX",
            ),
        ],
    )
    def test_socket(
        self, opening: Callable[[], socket.socket], problem: str, wanted: str
    ) -> None:
        """A socket that is of no use is refused for what it is."""
        with opening() as given:
            it = InheritedSocket.look_at(given.fileno())
        assert (problem, wanted) == it.problem
        assert "" == it.address

    def test_protocol(self) -> None:
        """Not everything that comes as a stream or as datagrams is TCP or UDP."""
        with other_protocol() as given:
            it = InheritedSocket.look_at(given.fileno())
            assert (f"a socket of the IP protocol {given.proto}", "TCP or UDP") == (
                it.problem
            )

    def test_no_name(self) -> None:
        """What Python has no name for is told by its number."""
        with unix_pair(socket.SOCK_SEQPACKET) as given:
            it = InheritedSocket.look_at(given.fileno())
        assert ("UNIX", "SEQPACKET") == (it.domain, it.type)

    @pytest.mark.parametrize(
        ("path", "thing"), [(__file__, "a file"), ("/dev/null", "a device")]
    )
    def test_path(self, path: str, thing: str) -> None:
        """A file or a device that a launcher handed over is no socket."""
        with Path(path).open("rb") as given, pytest.raises(NoSocket) as caught:
            InheritedSocket.look_at(given.fileno())
        assert thing == str(caught.value)

    def test_pipe(self) -> None:
        """Nor is a pipe; nothing is left open."""
        ends = os.pipe()
        free = os.dup(ends[0])
        os.close(free)
        for end in ends:
            with pytest.raises(NoSocket, match="a pipe"):
                InheritedSocket.look_at(end)
        assert free == os.dup(ends[0])
        for descriptor in (*ends, free):
            os.close(descriptor)

    def test_epoll(self) -> None:
        """Nor is what has no name of its own."""
        descriptor = os.eventfd(0)
        with pytest.raises(NoSocket, match="no socket"):
            InheritedSocket.look_at(descriptor)
        os.close(descriptor)

    def test_closed(self) -> None:
        """A descriptor that is announced and not there is not open."""
        with pytest.raises(NoSocket, match=r"not open \(bad file descriptor\)"):
            InheritedSocket.look_at(9_999)

    def test_no_room(self, opened: Sockets, monkeypatch: pytest.MonkeyPatch) -> None:
        """A socket that there is no room for is one all the same."""
        given = opened.open("tcp4")
        monkeypatch.setattr(os, "dup", without_room)
        with pytest.raises(NoSocket, match=r"cannot be used \(too many open files\)"):
            InheritedSocket.look_at(given.fileno())


def without_room(descriptor: int) -> int:
    """dup(2) of a process that may have no more open files."""
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), descriptor)


class TestDuplicate:
    """What is served: a second descriptor of the same socket."""

    def test_descriptor(self, opened: Sockets) -> None:
        """It does not block, is not handed down, and leaves the first one open."""
        given = opened.open("tcp4")
        with InheritedSocket.look_at(given.fileno()).duplicate() as duplicate:
            assert given.fileno() != duplicate.fileno()
            assert given.getsockname() == duplicate.getsockname()
            assert not os.get_blocking(duplicate.fileno())
            assert not duplicate.get_inheritable()
        assert given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)

    def test_queue_outlives_it(self, opened: Sockets) -> None:
        """Who connects while nobody serves waits for the next one."""
        given = opened.open("unix")
        it = InheritedSocket.look_at(given.fileno())
        it.duplicate().close()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(given.getsockname())
            with it.duplicate() as again:
                again.accept()[0].close()

    @pytest.mark.parametrize("form", FORMS)
    def test_options(self, opened: Sockets, form: str) -> None:
        """No option of it puts anything beside or between its datagrams."""
        given = opened.open(form)
        known = [
            (level, option)
            for level in (0, socket.SOL_SOCKET, 17, 41)
            for option in WITH_MESSAGES[level]
            if can_be_set(given, level, option)
        ]
        assert (socket.SOL_SOCKET, SO_TIMESTAMP) in known
        with InheritedSocket.look_at(given.fileno()).duplicate() as duplicate:
            assert [] == [it for it in known if duplicate.getsockopt(*it)]

    def test_kept_options(self, opened: Sockets) -> None:
        """What an operator has set of the rest stays."""
        given = opened.open("udp6")
        for option in (
            (socket.SOL_SOCKET, socket.SO_REUSEPORT),
            (socket.SOL_SOCKET, socket.SO_BROADCAST),
            (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO),
        ):
            given.setsockopt(*option, 1)
            with InheritedSocket.look_at(given.fileno()).duplicate() as duplicate:
                assert 1 == duplicate.getsockopt(*option)


#: Options of datagrams by their level, as in socket.h, in.h, udp.h and in6.h of Linux.
WITH_MESSAGES = {
    0: [6, 7, 11, 12, 13, 18, 20, 23, 25],
    socket.SOL_SOCKET: [16, 29, 34, 35, 37, 40, 41, 63, 64, 65, 75, 76, 82],
    17: [1, 103, 104],
    41: [2, 3, 4, 5, 8, 11, 25, 51, 53, 56, 58, 60, 66, 74, 77],
}


def can_be_set(given: socket.socket, level: int, option: int) -> bool:
    """Whether an option is there, and on from now on."""
    try:
        given.setsockopt(level, option, 1)
        return given.getsockopt(level, option) != 0
    except OSError:
        return False


@pytest.mark.parametrize("kind", [DatagramPort, BatchedDatagramPort])
@pytest.mark.parametrize("option", [SO_TIMESTAMP, SO_TIMESTAMPNS])
async def test_timestamps_do_not_hide_the_address(
    kind: type[DatagramPort], option: int
) -> None:
    """
    With Timestamping= in the unit, answers leave from the address that was asked, and
    broadcasts get none.
    """
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as given,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        given.bind(("0.0.0.0", 0))
        given.setsockopt(socket.SOL_SOCKET, option, 1)
        number = given.getsockname()[1]
        protocol = EchoDatagramProtocol(SourceGuard([number]))
        adopted = InheritedSocket.look_at(given.fileno()).duplicate()
        port = kind.from_socket(adopted, protocol, IReactorFDSet(reactor))
        port.startListening()

        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.sendto(b"all", ("127.255.255.255", number))
        client.sendto(b"one", ("127.0.0.9", number))
        answers: list[tuple[bytes, object]] = []
        while not answers:
            await turn()
            with suppress(BlockingIOError):
                answers.append(client.recvfrom(100))
        assert [(b"one", ("127.0.0.9", number))] == answers
        assert 1 == port.counters.to_many_hosts
        await port.stopListening()
        assert os.get_blocking(given.fileno()) is False
        assert fcntl.fcntl(given.fileno(), fcntl.F_GETFD) == fcntl.FD_CLOEXEC
