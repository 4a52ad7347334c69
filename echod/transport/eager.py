"""TCP connections that send at once."""

import errno
import socket
from collections.abc import Iterable
from typing import Any, Self

from twisted.internet import tcp
from twisted.internet.interfaces import IProducer, IProtocolFactory, IReactorFDSet
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure

# What one read asks for: so much as fits, with the header of a bytes object, into the
# 512 bytes that Python keeps at hand, until a message is larger. Measured as CPU time
# against a C loop, medians of 7 runs and more: 64 bytes 1.13 with 480, which does not
# fit, 5 % less with 448, and 1.19 with 64 KiB; 1 MiB 0.97 with 96 KiB, 1.12 to 1.5 with
# 64, 128, 192 and 256 KiB (glibc gives such blocks back to the system each time), and
# 1.26 through one shared buffer, from which ``dataReceived`` needs a copy.
SMALL_READ_BYTES = 448
LARGE_READ_BYTES = 96 * 1024


class EagerServer(tcp.Server):
    """
    A connection that sends what is written at once, while nothing is queued.

    It saves a turn of the reactor for each write. What the system does not take
    waits for the reactor as on ``tcp.Server``, and everything else is as there.
    """

    def __init__(self, *args: Any) -> None:
        # Whether a write may go out at once: nothing is before it, and nothing but
        # ``write`` has a say in what comes next.
        self._is_eager = True
        self._read_bytes = SMALL_READ_BYTES
        self._send_failed = False
        super().__init__(*args)

    # Two of Twisted's base classes declare doRead and doWrite, and differ.

    def doRead(self) -> Exception | None:  # type: ignore[override]
        try:
            data = self.socket.recv(self._read_bytes)
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            # A send that failed took the error away; what is left looks like an end.
            return CONNECTION_LOST if self._send_failed else CONNECTION_DONE
        is_small = len(data) < SMALL_READ_BYTES
        self._read_bytes = SMALL_READ_BYTES if is_small else LARGE_READ_BYTES
        self.protocol.dataReceived(data)
        return None

    def write(self, data: bytes) -> None:
        if not self._is_eager or data.__class__ is not bytes:
            self._is_eager = False  # What follows comes after it.
            super().write(data)
            return
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            # The reactor finds out as well, at a time when a connection may end.
            # (A broken pipe is one whose peer had ended before: that is still there.)
            self._send_failed = error.errno not in (errno.ENOBUFS, errno.EPIPE)
            sent = 0
        if sent != len(data):
            self._is_eager = False
            super().write(data[sent:])

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self._is_eager = False
        super().writeSequence(iovec)
        self._settle()

    def doWrite(self) -> Exception | int | None:  # type: ignore[override]
        why: Exception | int | None = super().doWrite()
        self._settle()
        return why

    def _settle(self) -> None:
        """See anew whether a write may go out at once."""
        is_pulled = self.producer is not None and not self.streamingProducer
        is_queued = self.dataBuffer or self._tempDataLen
        self._is_eager = bool(self.connected) and not (
            is_queued
            or is_pulled
            or self.TLS
            or self._writeDisconnecting
            or self._aborting
        )

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        # A producer that is pulled is asked for more when the queue has been sent.
        self._is_eager = self._is_eager and streaming
        super().registerProducer(producer, streaming)

    def loseWriteConnection(self) -> None:
        self._is_eager = False
        super().loseWriteConnection()

    def startTLS(self, ctx: Any, normal: bool = True) -> None:  # noqa: FBT002
        self._is_eager = False
        super().startTLS(ctx, normal)

    def abortConnection(self) -> None:
        self._is_eager = False
        super().abortConnection()

    def connectionLost(self, reason: Failure) -> None:
        self._is_eager = False
        super().connectionLost(reason)


class EagerPort(tcp.Port):
    """A TCP port whose connections send at once; see ``EagerServer``."""

    FAMILIES = (socket.AF_INET, socket.AF_INET6)

    transport = EagerServer  # type: ignore[assignment]  # made as any Server is

    @classmethod
    def from_descriptor(
        cls,
        descriptor: int,
        family: int,
        factory: IProtocolFactory,
        reactor: IReactorFDSet,
    ) -> Self:
        """
        Args:
            descriptor: of a non-blocking socket that listens; it is duplicated.
            family: one of ``FAMILIES``.
            factory: makes the protocols of its connections.
            reactor: who says when a socket is ready.

        Returns:
            A port that is not listening yet.
        """
        port: Self = cls._fromListeningDescriptor(reactor, descriptor, family, factory)
        return port
