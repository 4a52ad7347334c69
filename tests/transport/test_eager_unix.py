"""What ``UnixPort`` and ``EagerUnixPort`` do beyond the contract."""

import array
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_twisted
from twisted.internet import reactor, unix
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import (
    IHalfCloseableDescriptor,
    IReactorFDSet,
    IReactorSocket,
    ITCPTransport,
)
from twisted.internet.threads import deferToThread
from zope.interface.verify import verifyObject

from echod import EchoFactory
from echod.transport.eager_unix import EagerUnixPort, EagerUnixServer, UnixPort
from echod.transport.nested import NestedReactor
from echod.transport.owed import owed_bytes
from echod.transport.sockets.unix import OpenedUnix, open_unix
from echod.wire.local import UnixListener

from ..support.descriptors import descriptors
from ..support.ends import turn

#: More than a UNIX socket keeps for a peer that does not read.
MANY = 8 * 1024 * 1024


@pytest.fixture(params=[UnixPort, EagerUnixPort])
def kind(request: pytest.FixtureRequest) -> type[UnixPort]:
    """Either class of port; what they do to the socket is the same."""
    return cast("type[UnixPort]", request.param)


@pytest.fixture
def factory() -> EchoFactory:
    return EchoFactory(log_connections=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "echo.sock"


@pytest_twisted.async_yield_fixture
async def opened(path: Path) -> AsyncIterator[OpenedUnix]:
    made = open_unix(UnixListener(protocol="unix", path=str(path), backlog=1))
    with made.socket:
        yield made
        made.remove()


def serving(kind: type[UnixPort], opened: OpenedUnix, factory: EchoFactory) -> UnixPort:
    nested = NestedReactor(IReactorFDSet(reactor))
    port = kind.from_descriptor(opened.socket.fileno(), cast("Any", factory), nested)
    port.startListening()
    return port


@pytest_twisted.async_yield_fixture
async def port(
    kind: type[UnixPort], opened: OpenedUnix, factory: EchoFactory
) -> AsyncIterator[UnixPort]:
    made = serving(kind, opened, factory)
    yield made
    await factory.when_idle()
    await maybeDeferred(made.stopListening)


async def connection(factory: EchoFactory) -> Any:
    """The transport of the one connection, as soon as there is one."""
    while not factory.connections:
        await turn()
    (made,) = factory.connections
    return made.transport


def connected(path: Path, name: Path | str = "") -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    if name:
        client.bind(str(name))
    client.connect(str(path))
    client.setblocking(False)
    return client


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def is_there(path: Path) -> bool:
    return path.is_socket()


async def received(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        try:
            data += client.recv(size - len(data))
        except BlockingIOError:
            await turn()
    return data


class TestSocketThatWasGiven:
    """What is somebody else's."""

    async def test_mode_stays(self, port: UnixPort, path: Path) -> None:
        """The file keeps the mode that it was made with."""
        assert UNIXAddress(str(path)) == port.getHost()
        assert 0o660 == mode(path)

    async def test_file_stays(
        self, kind: type[UnixPort], opened: OpenedUnix, factory: EchoFactory, path: Path
    ) -> None:
        """It is removed by those who have made it."""
        await maybeDeferred(serving(kind, opened, factory).stopListening)
        assert is_there(path)

    async def test_file_that_is_gone_is_not_missed(
        self, kind: type[UnixPort], opened: OpenedUnix, factory: EchoFactory
    ) -> None:
        """A port ends as well after they have."""
        port = serving(kind, opened, factory)
        opened.remove()
        await maybeDeferred(port.stopListening)

    async def test_others_may_go_on(
        self, kind: type[UnixPort], opened: OpenedUnix, factory: EchoFactory, path: Path
    ) -> None:
        """Whoever else has the socket takes connections after the port has ended."""
        await maybeDeferred(serving(kind, opened, factory).stopListening)
        with connected(path):
            opened.socket.accept()[0].close()

    async def test_backlog_stays(self, port: UnixPort, path: Path) -> None:
        """So many connections may wait as the listener says, and one more."""
        clients = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        results = []
        for client in clients:
            client.setblocking(False)
            results.append(client.connect_ex(str(path)) == 0)
        for client in clients:
            client.close()
        assert [True, True, False] == results

    async def test_twisteds_own_does_otherwise(
        self, opened: OpenedUnix, factory: EchoFactory, path: Path
    ) -> None:
        """That is why there is a port of its own."""
        port = IReactorSocket(reactor).adoptStreamPort(
            opened.socket.fileno(), socket.AF_UNIX, cast("Any", factory)
        )
        assert 0o666 == mode(path)
        await maybeDeferred(port.stopListening)
        assert not is_there(path)

    async def test_no_file_is_left_open(
        self, kind: type[UnixPort], opened: OpenedUnix, factory: EchoFactory
    ) -> None:
        """The port has a duplicate of the socket, and closes it."""
        await maybeDeferred(serving(kind, opened, factory).stopListening)
        before = descriptors()
        await maybeDeferred(serving(kind, opened, factory).stopListening)
        assert before == descriptors()


class TestConnection:
    """Connections over UNIX sockets."""

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("", None),
            ("\0" + str(os.getpid() % 900 + 100), None),  # As long as an IPv6 address.
            ("\0echod-client-" + str(os.getpid()), None),
            ("client.sock", None),
        ],
    )
    async def test_addresses(
        self,
        port: UnixPort,
        factory: EchoFactory,
        path: Path,
        name: str,
        expected: str | None,
    ) -> None:
        """A connection knows its own name and that of its peer, if it has one."""
        if name and not name.startswith("\0"):
            name = str(path.parent / name)
        with connected(path, name):
            transport = await connection(factory)
            assert UNIXAddress(str(path)) == transport.getHost()
            assert UNIXAddress(name or None) == transport.getPeer()

    async def test_interfaces(
        self, port: UnixPort, factory: EchoFactory, path: Path
    ) -> None:
        """It is to protocols what a TCP connection is."""
        with connected(path):
            transport = await connection(factory)
            verifyObject(ITCPTransport, transport)
            verifyObject(IHalfCloseableDescriptor, transport)
            transport.setTcpNoDelay(True)
            assert not transport.getTcpNoDelay()

    async def test_what_the_peer_has_not_taken_is_owed(
        self, port: UnixPort, factory: EchoFactory, path: Path
    ) -> None:
        """Nothing is owed at first, then what the peer leaves, and none in the end."""
        with connected(path) as client:
            transport = await connection(factory)
            assert 0 == owed_bytes(transport)
            transport.write(bytes(MANY))
            await turn()
            assert 0 < owed_bytes(transport)
            assert MANY == len(await received(client, MANY))
            assert 0 == owed_bytes(transport)

    async def test_abort(
        self, port: UnixPort, factory: EchoFactory, path: Path
    ) -> None:
        """An abort ends it although its peer takes nothing."""
        with connected(path):
            transport = await connection(factory)
            transport.write(bytes(MANY))
            transport.abortConnection()
            await factory.when_idle()

    async def test_one_that_breaks_ends(
        self, port: UnixPort, factory: EchoFactory, path: Path
    ) -> None:
        """A peer that goes while it is owed something leaves nothing."""
        with connected(path):
            (await connection(factory)).write(bytes(MANY))
        await factory.when_idle()

    async def test_answer_leaves_at_once(
        self, opened: OpenedUnix, factory: EchoFactory, path: Path
    ) -> None:
        """An eager connection sends without a turn of the reactor."""
        port = serving(EagerUnixPort, opened, factory)
        with connected(path) as client:
            transport = await connection(factory)
            assert isinstance(transport, EagerUnixServer)
            transport.write(b"now")
            assert b"now" == client.recv(100)
        await factory.when_idle()
        await maybeDeferred(port.stopListening)

    async def test_stock_connections_are_twisteds(
        self, opened: OpenedUnix, factory: EchoFactory, path: Path
    ) -> None:
        """Where echod's own are not wanted, they are ``unix.Server``."""
        port = serving(UnixPort, opened, factory)
        with connected(path):
            assert isinstance(await connection(factory), unix.Server)
        await factory.when_idle()
        await maybeDeferred(port.stopListening)


class TestEnd:
    """How the log says that a connection has ended."""

    async def ended(
        self, kind: type[UnixPort], opened: OpenedUnix, path: Path, sent: bytes
    ) -> None:
        """A client sends this, takes one byte of the answer, and closes."""
        factory = EchoFactory()
        port = serving(kind, opened, factory)
        with connected(path) as client:
            client.sendall(sent)
            await connection(factory)
            client.setblocking(True)
            await deferToThread(client.recv, 1)
        await factory.when_idle()
        await maybeDeferred(port.stopListening)

    async def test_client_that_has_all(
        self, kind: type[UnixPort], opened: OpenedUnix, path: Path, lines: list[str]
    ) -> None:
        """A client that has taken everything and closes has ended in order."""
        await self.ended(kind, opened, path, b"x")
        assert " closed after 1 bytes" in lines[-2] + lines[-1]

    async def test_client_that_has_not(
        self, kind: type[UnixPort], opened: OpenedUnix, path: Path, lines: list[str]
    ) -> None:
        """One that has not taken everything has broken the connection."""
        await self.ended(kind, opened, path, b"xyz")
        assert " lost after 3 bytes" in lines[-2] + lines[-1]


class TestDescriptorsFromThePeer:
    """Files that a client sends along, SCM_RIGHTS of unix(7)."""

    async def test_they_are_closed(
        self,
        port: UnixPort,
        factory: EchoFactory,
        path: Path,
        lines: list[str],
    ) -> None:
        """The bytes come back and the files are closed; a line for each on stock."""
        with connected(path) as client, path.with_name("sent").open("w") as sent:
            await connection(factory)
            before = descriptors()
            for _ in range(20):
                files = array.array("i", [sent.fileno()] * 3)
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, files)
                client.sendmsg([b"x"], [rights])
                assert b"x" == await received(client, 1)
            assert before == descriptors()
        told = [line for line in lines if "closing file descriptor" in line]
        assert (0 if type(port) is EagerUnixPort else 20) == len(told)

    async def test_a_first_one_too(
        self, port: UnixPort, factory: EchoFactory, path: Path
    ) -> None:
        """Those that wait when the connection is accepted are closed as well."""
        with connected(path) as client, path.with_name("sent").open("w") as sent:
            files = array.array("i", [sent.fileno()] * 250)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, files)
            client.sendmsg([b"x"], [rights])
            assert b"x" == await received(client, 1)
            links = [*descriptors().values()].count(sent.name)
            assert 1 == links
