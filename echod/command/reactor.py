"""The reactor of a command that has one thing to do."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def run(work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """
    Args:
        work: a coroutine function that takes the reactor.

    Returns:
        What it returned.

    Raises:
        Exception: what it raised.
        click.Abort: a signal ended it.
    """
    from twisted.internet import reactor

    outcome: list[T | Failure] = []
    is_interrupted = False

    def start() -> None:
        done = Deferred.fromCoroutine(work(reactor))
        reactor.addSystemEventTrigger("before", "shutdown", interrupt, done)
        done.addBoth(finish)

    def finish(result: T | Failure) -> None:
        if not is_interrupted:
            outcome.append(result)
            reactor.stop()

    def interrupt(done: Deferred[None]) -> Deferred[None]:
        # While the reactor still runs, so that the work can clear up.
        nonlocal is_interrupted
        is_interrupted = not outcome
        done.cancel()
        return done

    reactor.callWhenRunning(start)
    reactor.run()
    if not outcome:
        raise click.Abort
    result = outcome[0]
    if isinstance(result, Failure):
        result.raiseException()
    return result
