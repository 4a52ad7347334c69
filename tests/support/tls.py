"""Both ends of TLS connections."""

import functools
import itertools
import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from OpenSSL import SSL
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol

from echod.transport.eager import EagerServer
from echod.transport.opening import Opening
from echod.transport.tls.crypt import lone
from echod.transport.tls.handshakes import Handshakes
from echod.transport.tls.stream import TlsStream, Told

from .certificate import certificate
from .ends import ClientProtocol, turn
from .side import ENDLESS, Side

#: By the names that people know.
VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


@functools.cache
def server_context(version: str = "1.3") -> SSL.Context:
    """A server's that speaks up to ``version``; its certificate signs itself."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(VERSIONS[version])
    shown = certificate()
    context.use_certificate(shown.original.to_cryptography())
    context.use_privatekey(shown.privateKey.original.to_cryptography_key())
    return context


@functools.cache
def client_context(version: str = "1.3") -> SSL.Context:
    """A client's that speaks up to ``version``, and believes everybody."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(VERSIONS[version])
    return context


def server_connection(context: SSL.Context | None = None) -> SSL.Connection:
    """One that waits for a client's hello."""
    connection = SSL.Connection(context or server_context(), None)
    connection.set_accept_state()
    return connection


def client_connection(context: SSL.Context | None = None) -> SSL.Connection:
    """One that has yet to say hello."""
    connection = SSL.Connection(context or client_context(), None)
    connection.set_connect_state()
    return connection


class TlsSide(Side):
    """
    One end of a connection whose system and reactor are the test.

    Args:
        inner: the protocol above TLS.
        connection: in its accept or connect state.
        kind: of the raw transport.
        timeout_s: for the handshake.
        told: see ``TlsStream``.

    Attributes:
        stream: the TLS between them.
        opening: knows it while its handshake is under way.
        counters: of what happened to it.
    """

    def __init__(
        self,
        inner: Protocol,
        connection: SSL.Connection,
        kind: type[tcp.Server] = EagerServer,
        *,
        timeout_s: float = 10.0,
        told: Told | None = None,
    ) -> None:
        self.opening = Opening()
        handshakes = Handshakes(self.opening, timeout_s)
        self.counters = handshakes.counters
        self.stream = TlsStream(inner, connection, handshakes, told=told)
        # It says hello before there can be any room.
        stream: Any = self.stream
        super().__init__(kind, stream)
        self.socket.room = ENDLESS
        self.settle()

    @property
    def queued_bytes(self) -> int:
        """What waits in the raw transport for the system."""
        link = self.link
        return len(link.dataBuffer) - link.offset + link._tempDataLen

    def receive(self, data: bytes) -> None:
        """The peer sends ``data``, and everything that follows from that happens."""
        self.socket.arrive(data)
        self.settle()

    def take_sent(self) -> bytes:
        """What the peer has got since it was last asked."""
        taken = bytes(self.socket.sent)
        self.socket.sent.clear()
        return taken


class Pair:
    """
    A client and a server, and a network between them that is the test.

    Args:
        client: an end.
        server: the other one.
        sizes: of the pieces in which the network delivers, over and over.
    """

    def __init__(
        self, client: TlsSide, server: TlsSide, sizes: Iterable[int] = (ENDLESS,)
    ) -> None:
        self.client, self.server = client, server
        self._sizes = itertools.cycle(sizes)
        self._has_told: set[TlsSide] = set()

    def exchange(self) -> None:
        """Everything that is under way arrives, and what follows from that too."""
        ways = ((self.client, self.server), (self.server, self.client))
        is_moving = True
        while is_moving:
            moved = [self._ferry(*way) for way in ways]
            is_moving = any(moved)

    def _ferry(self, source: TlsSide, target: TlsSide) -> bool:
        source.settle()
        data = source.take_sent()
        while data:
            size = next(self._sizes)
            target.receive(data[:size])
            data = data[size:]
            if not data:
                return True
        system = source.socket
        if source in self._has_told or not (system.is_finished or system.is_closed):
            return False
        self._has_told.add(source)
        if system.is_finished:
            target.socket.end()
        else:
            target.socket.break_off()
        target.settle()
        return True


class Peer:
    """
    The other end of a ``TlsSide``, in whose place the test speaks.

    Args:
        side: an end.
        connection: in the opposite state.

    Attributes:
        received: what has come from the side.
        errors: what the connection raised, but for that there is nothing to read.
    """

    def __init__(self, side: TlsSide, connection: SSL.Connection) -> None:
        self.side, self.connection = side, connection
        self.received = bytearray()
        self.errors: list[SSL.Error] = []

    def exchange(self) -> None:
        """Read and write until neither end has anything to say."""
        is_moving = True
        while is_moving:
            self._read()
            self.side.settle()
            is_moving = False
            with suppress(SSL.WantReadError):
                self.side.receive(self.connection.bio_read(1 << 20))
                is_moving = True
            if data := self.side.take_sent():
                self.connection.bio_write(data)
                is_moving = True

    def _read(self) -> None:
        try:
            while not self.errors:
                self.received += self.connection.recv(1 << 14)
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.errors.append(lone(error))

    def say(self, data: bytes) -> None:
        """Send data, and let everything happen that follows from it."""
        self.exchange()
        self.connection.send(data)
        self.exchange()

    def say_end(self) -> None:
        """The same of close_notify."""
        self.connection.shutdown()
        self.exchange()


class KeyUpdates:
    """
    Makes records of a client that asks for new keys over and over, as pyOpenSSL cannot.

    Sources: RFC 8446 sections 4.6.3, 5.2, 5.3 and 7; TLS_AES_256_GCM_SHA384.

    Attributes:
        context: the client's; its connection must send nothing by itself.
    """

    def __init__(self) -> None:
        self.context = SSL.Context(SSL.TLS_METHOD)
        self.context.set_min_proto_version(SSL.TLS1_3_VERSION)
        self.context.set_tls13_ciphersuites(b"TLS_AES_256_GCM_SHA384")
        self.context.set_keylog_callback(self._log)
        self._secret = b""

    def _log(self, _: SSL.Connection, line: bytes) -> None:
        name, _random, secret = line.split()
        if name == b"CLIENT_TRAFFIC_SECRET_0":
            self._secret = bytes.fromhex(secret.decode())

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        # Type 24, length 1, update_requested; then the type of content.
        plaintext = b"\x18\0\0\x01\x01" + b"\x16"
        header = b"\x17\x03\x03" + (len(plaintext) + 16).to_bytes(2)
        key, nonce = self._expand(b"key", 32), self._expand(b"iv", 12)
        self._secret = self._expand(b"traffic upd", 48)
        return header + AESGCM(key).encrypt(nonce, plaintext, header)

    def _expand(self, label: bytes, size: int) -> bytes:
        label = b"tls13 " + label
        info = size.to_bytes(2) + bytes([len(label)]) + label + b"\0"
        return HKDFExpand(hashes.SHA384(), size, info).derive(self._secret)


@functools.cache
def python_context(version: str) -> ssl.SSLContext:
    """CPython's own, which believes everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion[f"TLSv{version.replace('.', '_')}"]
    return context


class PythonEnd(ClientProtocol):
    """
    A ``StreamEnd`` over CPython's TLS, which is another OpenSSL.

    Args:
        version: of TLS.
        says_end: whether it half-closes by close_notify; by a bare FIN otherwise.
    """

    def __init__(self, version: str, *, says_end: bool) -> None:
        super().__init__()
        self._says_end = says_end
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = python_context(version).wrap_bio(self._incoming, self._outgoing)
        self._unsent: list[bytes] = []
        self._is_open = self._is_finishing = False
        self.opened: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self._go_on()

    def dataReceived(self, data: bytes) -> None:
        self._incoming.write(data)
        self._go_on()

    async def send(self, data: bytes) -> None:
        self._unsent.append(data)
        self._go_on()
        await turn()

    async def finish(self) -> None:
        self._is_finishing = True
        self._go_on()
        await turn()

    def _go_on(self) -> None:
        try:
            if not self._is_open:
                self._tls.do_handshake()
                self._is_open = True
            while self._unsent:
                data = memoryview(self._unsent.pop(0))
                while data:
                    data = data[self._tls.write(data) :]
            if self._is_finishing:
                self._is_finishing = False
                self._half_close()
            while piece := self._tls.read(65_536):
                super().dataReceived(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.transport.loseConnection()
        finally:
            self.transport.write(self._outgoing.read())
        if self._is_open and not self.opened.called:
            self.opened.callback(None)

    def _half_close(self) -> None:
        if self._says_end:
            with suppress(ssl.SSLWantReadError):
                self._tls.unwrap()
        else:
            self.transport.write(self._outgoing.read())
            self.transport.loseWriteConnection()
