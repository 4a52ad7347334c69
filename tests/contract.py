"""
What echoing means, whatever carries the bytes.

A test module says how to open a transport, and inherits the facts.
"""

import random
from typing import Protocol as TypingProtocol

import pytest

from .support.ends import pause

#: Sizes at which buffers, segments and counters have their edges.
SIZES = [1, 2, 255, 256, 1023, 1024, 1460, 65_535, 65_536, 65_537, 1_000_003]

#: The same for datagrams that any UDP socket can carry.
DATAGRAM_SIZES = [0, 1, 511, 512, 513, 1472, 1473, 2048, 8191, 8192, 8193, 65_507]


def payload(size: int) -> bytes:
    """Bytes that differ from one another, and are the same in each run."""
    return random.Random(size).randbytes(size)


class StreamEnd(TypingProtocol):
    """The client's end of a connection to an echo service."""

    async def send(self, data: bytes) -> None:
        """Hand ``data`` over to be sent."""

    async def finish(self) -> None:
        """Half-close: nothing more will be sent."""

    async def read(self, size: int) -> bytes:
        """The next ``size`` bytes of the answer, or fewer if it ends."""

    async def stop_reading(self) -> None:
        """Take nothing more until ``read`` is called."""

    async def abort(self) -> None:
        """Break the connection."""


class StreamContract:
    """The facts of echo over streams. A subclass has a fixture ``end: StreamEnd``."""

    #: More than any system buffers between two processes.
    UNREAD_BYTES = 64 * 1024 * 1024

    @pytest.mark.parametrize("size", SIZES)
    async def test_bytes_come_back(self, end: StreamEnd, size: int) -> None:
        """What is sent comes back while the connection stays open."""
        sent = payload(size)
        await end.send(sent)
        assert sent == await end.read(size)

    async def test_every_byte_value_comes_back(self, end: StreamEnd) -> None:
        """No value of a byte has a meaning of its own."""
        sent = bytes(range(256))
        await end.send(sent)
        assert sent == await end.read(256)

    async def test_conversation(self, end: StreamEnd) -> None:
        """Each message is answered before the next one is sent."""
        for message in (b"a", b"\0", b"bc" * 500, b"d"):
            await end.send(message)
            assert message == await end.read(len(message))

    async def test_single_bytes_keep_their_order(self, end: StreamEnd) -> None:
        """Bytes that are sent one by one come back in that order."""
        sent = payload(500)
        for byte in sent:
            await end.send(bytes([byte]))
        assert sent == await end.read(len(sent))

    @pytest.mark.parametrize("size", [0, *SIZES])
    async def test_half_close_returns_everything(
        self, end: StreamEnd, size: int
    ) -> None:
        """After a half-close the whole answer comes, and then its end."""
        sent = payload(size)
        await end.send(sent)
        await end.finish()
        assert sent == await end.read(size + 1)

    async def test_unread_answer_stops_the_reading(self, end: StreamEnd) -> None:
        """A client that reads late gets every byte, and is not read from meanwhile."""
        sent = payload(1_000_000) * (self.UNREAD_BYTES // 1_000_000)
        await end.stop_reading()
        await end.send(sent)
        await end.finish()
        before = -1
        while before != (before := self.received_bytes()):
            await pause()
        assert before < len(sent)
        assert sent == await end.read(len(sent) + 1)

    async def test_abort_leaves_nothing(self, end: StreamEnd) -> None:
        """A client that breaks the connection leaves no connection open."""
        await end.send(payload(100_000))
        await end.abort()
        await self.until_idle()

    def received_bytes(self) -> int:
        """What the service has read from the one connection so far."""
        raise NotImplementedError

    async def until_idle(self) -> None:
        """Return when the service has no open connection."""
        raise NotImplementedError


class DatagramEnd(TypingProtocol):
    """A client of an echo service over datagrams."""

    async def send(self, datagram: bytes) -> None:
        """Send one datagram to the service."""

    async def receive(self) -> bytes:
        """The next datagram that came from the service."""


class DatagramContract:
    """The facts of echo over datagrams. A subclass has ``end`` and ``other_end``."""

    @pytest.mark.parametrize("size", DATAGRAM_SIZES)
    async def test_datagram_comes_back(self, end: DatagramEnd, size: int) -> None:
        """A datagram of any size comes back as it was, the empty one too."""
        sent = payload(size)
        await end.send(sent)
        assert sent == await end.receive()

    async def test_datagrams_come_back_once_each(self, end: DatagramEnd) -> None:
        """Each of several datagrams is answered once, in order."""
        sent = [payload(size) for size in (5, 0, 1, 700, 0, 3)]
        for datagram in sent:
            await end.send(datagram)
        assert sent == [await end.receive() for _ in sent]

    async def test_clients_get_their_own(
        self, end: DatagramEnd, other_end: DatagramEnd
    ) -> None:
        """Two clients that ask at once get an answer each, and not the other's."""
        await end.send(b"one")
        await other_end.send(b"two")
        assert (b"two", b"one") == (await other_end.receive(), await end.receive())
