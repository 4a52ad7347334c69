"""Where the bytes of a client come from."""

import hashlib
import os

from twisted.internet.abstract import FileDescriptor
from twisted.internet.interfaces import IConsumer, IReactorFDSet
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure

from ..errors import BrokenPipe, explain
from .connection import Connection

_READ_BYTES = 65_536


class Source(FileDescriptor):
    """
    A file descriptor whose bytes go to a connection, as fast as it takes them.

    It is read only when it is ready, so it may stay in blocking mode: the other
    programs that share a terminal or a pipe would not survive a change.

    Args:
        source: the file descriptor.
        connection: who gets the bytes, and their end.
        timeout_s: how long the connection may take nothing, or answer nothing once
            all is sent.
        reactor: says when there is something to read.

    Attributes:
        sent_bytes: how much the connection was given.
        sent_digest: of what it was given.
        is_done: whether that is all.
    """

    def __init__(
        self,
        source: int,
        connection: Connection,
        timeout_s: float,
        reactor: IReactorFDSet,
    ) -> None:
        super().__init__(reactor)
        self.sent_bytes = 0
        self.sent_digest = hashlib.blake2b()
        self.is_done = False
        self._source = source
        self._connection = connection
        self._timeout_s = timeout_s

    def start(self) -> None:
        self.connected = 1
        IConsumer(self._connection.transport).registerProducer(self, True)
        self.startReading()

    def fileno(self) -> int:
        return self._source

    def doRead(self) -> Exception | None:
        try:
            data = os.read(self._source, _READ_BYTES)
        except OSError as failure:
            reason = f"standard input: {explain(failure)}; want a file to read"
            self._connection.fail(BrokenPipe(reason))
            return None
        if not data:
            return CONNECTION_DONE
        self.sent_bytes += len(data)
        self.sent_digest.update(data)
        self._connection.transport.write(data)
        return None

    def connectionLost(self, reason: Failure) -> None:
        """The end of the source."""
        self.is_done = True
        self.connected = 0
        self._connection.finish(self._timeout_s)

    def pauseProducing(self) -> None:
        """The service takes no more for now; it must not be so for ever."""
        super().pauseProducing()
        self._connection.setTimeout(self._timeout_s)

    def resumeProducing(self) -> None:
        self._connection.setTimeout(None)
        super().resumeProducing()

    def stopProducing(self) -> None:
        """The end of the connection."""
        self.connected = 0
        self.stopReading()
