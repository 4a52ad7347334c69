"""One exchange with an echo service over a stream."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet

from ..errors import NotAnEcho
from ..wire.target import Target
from .connection import connect
from .source import Source


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

    client = await connect(target, received, timeout_s, reactor)
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
        timeout_s: how long to wait for the connection, and for each next piece of
            the answer once all is sent, or while the service takes no more.
        reactor: runs the exchange.

    Raises:
        CannotReach: there is no service, or no answer.
        NotAnEcho: the connection broke, or less or more came back than was sent.
        BrokenPipe: the source cannot be read, or the sink raised.
    """
    client = await connect(target, sink, timeout_s, reactor)
    reader = Source(source, client, timeout_s, reactor)
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
