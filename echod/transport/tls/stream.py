"""TLS over any stream transport, below any protocol."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IProducer,
    IProtocol,
    IPushProducer,
    ISSLTransport,
    ISystemHandle,
)
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .crypt import decrypt, encrypt, lone, written
from .failure import HandshakeFailed, closed, handshake_failed, said
from .flow import Flow
from .handshakes import Handshakes
from .layer import Layer
from .records import Records

# How much OpenSSL is given at once. Its buffer keeps a third more than that for as
# long as the connection is open. Measured in memory for 1 MiB both ways, against all of
# a read (96 KiB) at once: 1.09 with 32 KiB, 1.25 with 16 KiB. A connection whose peer
# does not read costs 226 KiB with 32 KiB.
PIECE_BYTES = 32 * 1024

# How much a peer may send before it is answered, which is a client's hello, and before
# the handshake is complete. OpenSSL needs 64 KiB for a connection that has sent 15 KiB
# of a hello, and 130 KiB for one that has sent 60 KiB.
MAX_HELLO_BYTES = 16 * 1024
MAX_HANDSHAKE_BYTES = 64 * 1024

#: Told how a handshake ended: by nothing where it was completed.
Told = Callable[[HandshakeFailed | None], object]


@implementer(
    ISSLTransport, IConsumer, IPushProducer, ISystemHandle, IHalfCloseableProtocol
)
class TlsStream(Layer):
    """
    One TLS connection: the protocol of a raw transport, and the transport of another
    protocol, which hears of it when the handshake is complete and not before.

    A half-close of the peer's is one whether it says so by close_notify or by a bare
    FIN: all that came before is delivered, and what is written after that is sent.
    Everything else is as on Twisted's TCP transport.

    A handshake that fails is counted; it is not logged, and the inner protocol does not
    hear of it. OpenSSL's alert is sent to the peer. What breaks the rules after that
    ends the connection as lost.

    Args:
        inner: the other protocol.
        connection: over memory, in its accept or connect state.
        handshakes: those that it is one of.
        peer: the peer's address, where the raw transport's is another's.
        told: called when the handshake has ended, and the inner protocol, where it was
            completed, has heard of the connection.

    Attributes:
        connection: as given.
        is_open: whether the handshake is complete.
    """

    TLS = True
    disconnecting = False

    def __init__(
        self,
        inner: IProtocol,
        connection: SSL.Connection,
        handshakes: Handshakes,
        *,
        peer: IAddress | None = None,
        told: Told | None = None,
    ) -> None:
        connection.set_options(SSL.OP_NO_RENEGOTIATION)
        self.connection = connection
        self.is_open = False
        self._inner = inner
        self._handshakes = handshakes
        self._peer = peer
        self._told = told
        self._records = Records()
        self._early_bytes = 0
        self._has_spoken = False
        # Whether what comes from the peer no longer matters; whether nothing more can
        # be sent to it.
        self._is_deaf = False
        self._is_mute = False
        self._failure: HandshakeFailed | None = None
        self._reason: Failure | None = None

    # What the raw transport calls

    def connectionMade(self) -> None:
        self._flow = Flow(self.transport)
        self._handshakes.begin(self)
        self._shake_hands()

    def dataReceived(self, data: bytes) -> None:
        if self._is_deaf:
            return
        if self._records.is_one(data) and self.is_open:
            self.connection.bio_write(data)
            try:
                plaintext = self.connection.recv(len(data))
            except SSL.Error as error:
                plaintext, came = b"", lone(error)
            else:
                self._inner.dataReceived(plaintext)
                return
        else:
            plaintext, came = self._take(data)
        self._flow.answered(self._flush())
        if plaintext:
            self._inner.dataReceived(plaintext)
        if not self._is_deaf:
            self._settle(came)

    def readConnectionLost(self) -> None:
        self._flow.end_reading()
        if self._is_deaf:
            return
        if self.is_open:
            self._handshakes.counters.truncated += 1
            self._end_input()
        else:
            self._fail(closed())

    def writeConnectionLost(self) -> None:
        half_closeable = IHalfCloseableProtocol(self._inner, None)
        if half_closeable is not None:
            half_closeable.writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self.disconnecting = self._is_deaf = self._is_mute = True
        self._handshakes.end(self)
        self._flow.stopProducing()
        # It knows this transport; neither should have to wait for the collector.
        inner, told = self._inner, self._told
        del self._inner, self._told
        if self.is_open:
            inner.connectionLost(self._reason or reason)
            return
        failure = self._failure or closed()
        self._handshakes.counters.failed[failure.reason] += 1
        if told is not None:
            told(failure)

    # What the sweep of unfinished handshakes calls

    def is_late(self) -> None:
        """See ``Opener``."""
        self._break_off(HandshakeFailed("late", "it took too long"))

    def abort(self) -> None:
        """See ``Opener``."""
        self._break_off(HandshakeFailed("stopped", "it was called off"))

    def _break_off(self, failure: HandshakeFailed) -> None:
        self._failure = self._failure or failure
        self.abortConnection()

    # The handshake

    def _shake_hands(self) -> None:
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            self._has_spoken = self._flush() > 0 or self._has_spoken
            most = MAX_HANDSHAKE_BYTES if self._has_spoken else MAX_HELLO_BYTES
            if self._early_bytes > most:
                self._fail(HandshakeFailed("size", "the peer sent too much"))
        except SSL.Error as error:
            self._fail(handshake_failed(error))
        else:
            self._flush()
            self._open()

    def _open(self) -> None:
        self._handshakes.end(self)
        self._handshakes.counters.handshakes += 1
        self.is_open = True
        told = self._told
        self._inner.makeConnection(self)
        if told is not None:
            told(None)

    def _fail(self, failure: HandshakeFailed) -> None:
        # It stays among those that can be late: its alert may find no way out.
        self._failure = failure
        self._give_up()

    # From the peer

    def _take(self, data: bytes) -> tuple[bytes, SSL.Error]:
        """
        Returns:
            What there is to deliver, and what came then: a WantReadError for nothing.
        """
        received: list[bytes] = []
        came: SSL.Error = SSL.WantReadError()
        for begin in range(0, len(data), PIECE_BYTES):
            piece = data[begin : begin + PIECE_BYTES]
            self.connection.bio_write(piece)
            if not self.is_open:
                self._early_bytes += len(piece)
                self._shake_hands()
            if self.is_open and not self._is_deaf:
                came = decrypt(self.connection, received)
            if self._is_deaf or not isinstance(came, SSL.WantReadError):
                break
        return b"".join(received), came

    def _settle(self, came: SSL.Error) -> None:
        if isinstance(came, SSL.ZeroReturnError):
            self._end_input()
        elif not isinstance(came, SSL.WantReadError):
            self._break(came)

    def _end_input(self) -> None:
        self._is_deaf = True
        half_closeable = IHalfCloseableProtocol(self._inner, None)
        if half_closeable is not None:
            half_closeable.readConnectionLost()
        else:
            self._close()

    # To the peer

    def write(self, data: bytes) -> None:
        if self._is_mute or not data:
            return
        if data.__class__ is not bytes:
            data = bytes(memoryview(data))
        try:
            encrypted = encrypt(self.connection, data)
        except SSL.Error as error:
            self._break(error)
        else:
            self.transport.write(encrypted)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def _flush(self) -> int:
        """Send what OpenSSL has written by itself, and say how much that was."""
        data = written(self.connection)
        if data:
            self.transport.write(data)
        return len(data)

    # The end of it

    def loseConnection(self) -> None:
        if self.disconnecting:
            return
        if not self.is_open:
            self.abort()
            return
        self.disconnecting = self._is_deaf = True
        if self._flow.is_produced and not self._is_mute:
            self._flow.pause_reading()
        else:
            self._close()

    def loseWriteConnection(self) -> None:
        if not self._is_mute:
            self._say_end()
            self.transport.loseWriteConnection()

    def abortConnection(self) -> None:
        self.disconnecting = self._is_deaf = self._is_mute = True
        self.transport.abortConnection()

    def _close(self) -> None:
        self.disconnecting = self._is_deaf = True
        if not self._is_mute:
            self._say_end()
        self.transport.loseConnection()

    def _say_end(self) -> None:
        """Send close_notify, after which nothing can be sent."""
        with suppress(SSL.Error):
            self.connection.shutdown()
        self._is_mute = True
        self._flush()
        self._flow.end()

    def _break(self, error: SSL.Error) -> None:
        self._handshakes.counters.broken += 1
        self._reason = Failure(ConnectionLost(said(error)))
        self._give_up()

    def _give_up(self) -> None:
        """End at once, but for the alert that OpenSSL has written."""
        self.disconnecting = self._is_deaf = self._is_mute = True
        self._flush()
        self._flow.end()
        self.transport.loseConnection()

    # As a consumer and as a producer

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        if self._is_mute:
            producer.stopProducing()
        else:
            self._flow.register(producer, is_push=streaming)

    def unregisterProducer(self) -> None:
        self._flow.unregister()
        if self.disconnecting and not self._is_mute:
            self._close()

    def pauseProducing(self) -> None:
        self._flow.pause_reading()

    def resumeProducing(self) -> None:
        if not self.disconnecting:
            self._flow.resume_reading()

    def stopProducing(self) -> None:
        self.loseConnection()

    def getPeerCertificate(self) -> Any:
        return self.connection.get_peer_certificate()
