"""The client's end of a stream."""

import hashlib
from collections.abc import Callable
from typing import Any

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IReactorFDSet,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from ..errors import BrokenPipe, CannotReach, EchodError, NotAnEcho, explain
from ..wire.target import AnyTarget

# How long the other end may take to close after TLS has ended in order.
LINGER_S = 1.0


class Connection(Protocol, TimeoutMixin):
    """
    The client's end of a connection to an echo service.

    Args:
        target: the service, for messages.
        received: called with each piece of the answer; it may raise OSError.
        reactor: keeps the time.

    Attributes:
        received_bytes: how much has come back.
        received_digest: of what has come back.
        done: fires when the service has ended the connection, or fails.
    """

    transport: ITCPTransport

    def __init__(
        self,
        target: AnyTarget,
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
        self._is_complete = False

    def callLater(self, *call: Any) -> IDelayedCall:
        return self._clock.callLater(*call)

    def fail(self, failure: EchodError) -> None:
        """End the exchange at once; ``done`` fails with ``failure``."""
        self._failure = self._failure or failure
        self.transport.abortConnection()

    def end(self) -> None:
        """End the exchange, of which everything has come: ``done`` will not fail."""
        self._is_complete = True
        if getattr(self.transport, "TLS", False):
            # Whoever closes while the other's close_notify comes breaks the connection.
            self.transport.loseWriteConnection()
            self.setTimeout(LINGER_S)
        else:
            self.transport.loseConnection()

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
            reason = f"standard output: {explain(failure)}"
            self.fail(BrokenPipe(f"{reason}; want a place for the answer"))

    def timeoutConnection(self) -> None:
        if self._is_complete:
            self.transport.abortConnection()
            return
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
        elif self._is_complete or reason.check(error.ConnectionDone):
            self.done.callback(None)
        else:
            # TLS has something to say of it, the system has not.
            words = getattr(reason.value, "args", ())
            why = f" ({words[0]})" if words else ""
            msg = (
                f"{self._target}: the connection broke{why} after "
                f"{self.received_bytes} bytes came back; want every byte"
            )
            self.done.errback(NotAnEcho(msg))
