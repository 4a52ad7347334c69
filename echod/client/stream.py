"""One exchange with an echo service over a stream."""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet

from ..errors import NotAnEcho
from ..transport.tls.client import ClientContext
from ..wire.target import AnyTarget
from .connect import connect
from .source import Source


async def echo(
    target: AnyTarget,
    payload: bytes,
    timeout_s: float,
    reactor: IReactorFDSet,
    context: ClientContext | None = None,
) -> bytes:
    """
    Args:
        target: an echo service over streams.
        payload: what to send.
        timeout_s: how long to wait for the connection, and for each next piece of
            the answer.
        reactor: runs the exchange.
        context: whom to believe over TLS; by default those that the system does.

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
            client.end()

    client = await connect(target, received, timeout_s, reactor, context)
    client.setTimeout(timeout_s)
    client.transport.write(payload)
    if not payload:
        client.end()
    await client.done
    return bytes(answer)


async def pipe(  # noqa: PLR0913, PLR0917 - both ends, and on what terms
    target: AnyTarget,
    source: int,
    sink: Callable[[bytes], object],
    timeout_s: float,
    reactor: IReactorFDSet,
    context: ClientContext | None = None,
) -> None:
    """
    Send what a file descriptor holds, half-close, and pass on what comes back.

    Args:
        target: an echo service over streams.
        source: a file descriptor to read to its end.
        sink: called with each piece of the answer; it may raise OSError.
        timeout_s: how long to wait for the connection, and for each next piece of
            the answer once all is sent, or while the service takes no more.
        reactor: runs the exchange.
        context: whom to believe over TLS; by default those that the system does.

    Raises:
        CannotReach: there is no service, or no answer.
        NotAnEcho: the connection broke, or less or more came back than was sent.
        BrokenPipe: the source cannot be read, or the sink raised.
    """
    client = await connect(target, sink, timeout_s, reactor, context)
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
