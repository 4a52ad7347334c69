"""Listeners that Twisted, or a plugin of it, opens."""

from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorCore,
    IStreamServerEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import CannotListen, ConfigError, shown
from ..wire.listener import Endpoint
from .sockets.bound import cannot_listen

_log = Logger()


def make_endpoint(endpoint: Endpoint, reactor: IReactorCore) -> IStreamServerEndpoint:
    """
    Returns:
        The endpoint that the description means; nothing is opened.

    Raises:
        ConfigError: it means nothing here, or names what cannot be used.
    """
    try:
        made: IStreamServerEndpoint = serverFromString(reactor, endpoint.text)
    except Exception as error:
        # Whatever a plugin raises here is about the description that it was given.
        reason = shown(error) if str(error) else type(error).__name__
        place = f"listen {shown(endpoint)}"
        msg = f"{place}: {reason}; want one of Twisted's server endpoints"
        raise ConfigError(msg) from error
    return made


def open_endpoint(
    made: IStreamServerEndpoint,
    endpoint: Endpoint,
    factory: IProtocolFactory,
    opened: Callable[[IListeningPort, Endpoint], object],
) -> Deferred[IListeningPort]:
    """
    Args:
        made: what to open.
        endpoint: its description, for messages.
        factory: makes the protocols of its connections.
        opened: called with the port and the endpoint, before this returns for all of
            Twisted's own endpoints and later for one that takes its time.

    Returns:
        A Deferred that never fails; cancel it to call the opening off. A failure
        that comes late is logged.

    Raises:
        CannotListen: the endpoint cannot be opened.
    """
    early: list[CannotListen] = []
    has_returned = False

    def failed(failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        error: BaseException = failure.value or RuntimeError()
        if isinstance(error, CannotListenError):
            error = error.socketError
        explained = cannot_listen(endpoint, error)
        if has_returned:
            _log.critical("{error}", error=explained)
        else:
            early.append(explained)

    listening: Deferred[IListeningPort] = made.listen(factory)
    listening.addCallbacks(opened, failed, callbackArgs=(endpoint,))
    has_returned = True
    if early:
        raise early[0]
    return listening
