"""One exchange with an echo service over a stream."""

import hashlib
import os
from collections.abc import Callable
from typing import Any

from twisted.internet import error
from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IReactorFDSet,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from ..errors import (
    BrokenPipe,
    CannotReach,
    EchodError,
    NotAnEcho,
    UnknownHost,
    explain,
)
from ..wire.target import Target

_READ_BYTES = 65_536


async def echo(
    target: Target, payload: bytes, timeout_s: float, reactor: IReactorFDSet
) -> bytes:
    """
    Args:
        target: a TCP echo service.
        payload: what to send.
        timeout_s: how long to wait for the connection, and for each next piece of
            the answer.
        reactor: runs the exchange.

    Returns:
        As many bytes as were sent, or fewer where the service ends the connection.

    Raises:
        CannotReach: there is no service, or no answer.
        NotAnEcho: the connection broke.
    """
    answer = bytearray()

    def received(piece: bytes) -> None:
        answer.extend(piece)
        if len(answer) >= len(payload):
            client.transport.loseConnection()

    client = await _connect(target, received, timeout_s, reactor)
    client.setTimeout(timeout_s)
    client.transport.write(payload)
    if not payload:
        client.transport.loseConnection()
    await client.done
    return bytes(answer)


async def pipe(
    target: Target,
    source: int,
    sink: Callable[[bytes], object],
    timeout_s: float,
    reactor: IReactorFDSet,
) -> None:
    """
    Send what a file descriptor holds, half-close, and pass on what comes back.

    Args:
        target: a TCP echo service.
        source: a file descriptor to read to its end.
        sink: called with each piece of the answer; it may raise OSError.
        timeout_s: how long to wait for the connection, and, once all is sent, for
            each next piece of the answer.
        reactor: runs the exchange.

    Raises:
        CannotReach: there is no service, or no answer.
        NotAnEcho: the connection broke, or less or more came back than was sent.
        BrokenPipe: the source cannot be read, or the sink raised.
    """
    client = await _connect(target, sink, timeout_s, reactor)
    reader = _Source(source, client, timeout_s, reactor)
    reader.start()
    try:
        await client.done
    finally:
        reader.stopReading()
    if client.received_bytes != reader.sent_bytes or not reader.is_done:
        msg = (
            f"{target}: {client.received_bytes} of {reader.sent_bytes} bytes "
            "came back; want every byte"
        )
        raise NotAnEcho(msg)
    if client.received_digest.digest() != reader.sent_digest.digest():
        msg = f"{target}: {client.received_bytes} other bytes came back; want the same"
        raise NotAnEcho(msg)


class StreamClient(Protocol, TimeoutMixin):
    """
    The client's end of a connection.

    Attributes:
        received_bytes: how much has come back.
        done: fires when the service has ended the connection, or fails.
    """

    transport: ITCPTransport

    def __init__(
        self,
        target: Target,
        received: Callable[[bytes], object],
        reactor: IReactorFDSet,
    ) -> None:
        self.received_bytes = 0
        self.received_digest = hashlib.blake2b()
        self.done: Deferred[None] = Deferred()
        self._clock = IReactorTime(reactor)
        self._target = target
        self._received = received
        self._failure: EchodError | None = None

    def callLater(self, *call: Any) -> IDelayedCall:
        return self._clock.callLater(*call)

    def fail(self, failure: EchodError) -> None:
        """End the exchange at once; ``done`` fails with ``failure``."""
        self._failure = self._failure or failure
        self.transport.abortConnection()

    def finish(self, timeout_s: float) -> None:
        """Half-close: nothing more is sent, and the answer must come to an end."""
        if self.connected and self._failure is None:
            IConsumer(self.transport).unregisterProducer()
            self.transport.loseWriteConnection()
            self.setTimeout(timeout_s)

    def dataReceived(self, data: bytes) -> None:
        self.resetTimeout()
        self.received_bytes += len(data)
        self.received_digest.update(data)
        try:
            self._received(data)
        except OSError as failure:
            self.fail(BrokenPipe(f"standard output: {explain(failure)}"))

    def timeoutConnection(self) -> None:
        self.fail(
            CannotReach(
                f"{self._target}: no answer within {self.timeOut:g} s, "
                f"after {self.received_bytes} bytes; want an echo service"
            )
        )

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self.setTimeout(None)
        if self._failure is not None:
            self.done.errback(self._failure)
        elif reason.check(error.ConnectionDone):
            self.done.callback(None)
        else:
            msg = (
                f"{self._target}: the connection broke after {self.received_bytes} "
                "bytes came back; want every byte"
            )
            self.done.errback(NotAnEcho(msg))


class _Source(FileDescriptor):
    """
    A file descriptor whose bytes go to a client, as fast as it takes them.

    It is read only when it is ready, so it may stay in blocking mode: the other
    programs that share a terminal or a pipe would not survive a change.
    """

    def __init__(
        self,
        source: int,
        client: StreamClient,
        timeout_s: float,
        reactor: IReactorFDSet,
    ) -> None:
        super().__init__(reactor)
        self.sent_bytes = 0
        self.sent_digest = hashlib.blake2b()
        self.is_done = False
        self._source = source
        self._client = client
        self._timeout_s = timeout_s

    def start(self) -> None:
        self.connected = 1
        IConsumer(self._client.transport).registerProducer(self, True)
        try:
            self.startReading()
        except OSError as failure:
            self._fail(failure)

    def fileno(self) -> int:
        return self._source

    def doRead(self) -> Exception | None:
        try:
            data = os.read(self._source, _READ_BYTES)
        except OSError as failure:
            self._fail(failure)
            return None
        if not data:
            return CONNECTION_DONE
        self.sent_bytes += len(data)
        self.sent_digest.update(data)
        self._client.transport.write(data)
        return None

    def _fail(self, failure: OSError) -> None:
        self._client.fail(BrokenPipe(f"standard input: {explain(failure)}"))

    def connectionLost(self, reason: Failure) -> None:
        """The end of the source."""
        self.is_done = True
        self.connected = 0
        self._client.finish(self._timeout_s)

    def pauseProducing(self) -> None:
        """The service takes no more for now; it must not be so for ever."""
        super().pauseProducing()
        self._client.setTimeout(self._timeout_s)

    def resumeProducing(self) -> None:
        self._client.setTimeout(None)
        super().resumeProducing()

    def stopProducing(self) -> None:
        """The end of the client."""
        self.connected = 0
        self.stopReading()


async def _connect(
    target: Target,
    received: Callable[[bytes], object],
    timeout_s: float,
    reactor: IReactorFDSet,
) -> StreamClient:
    client = StreamClient(target, received, reactor)
    try:
        endpoint = HostnameEndpoint(reactor, target.host, target.port, timeout_s)
        await connectProtocol(endpoint, client)
    except (error.DNSLookupError, ValueError) as failure:
        msg = f"{target}: the host does not resolve; want a name or address that does"
        raise UnknownHost(msg) from failure
    except error.ConnectError as failure:
        reason = _reason(failure)
        msg = f"{target}: {reason}; want an echo service that listens there"
        raise CannotReach(msg) from failure
    return client


def _reason(failure: error.ConnectError) -> str:
    if isinstance(failure.osError, int):
        return os.strerror(failure.osError).lower()
    return "connecting took too long"
