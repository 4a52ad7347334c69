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

    def start() -> None:
        done = Deferred.fromCoroutine(work(reactor))
        done.addBoth(outcome.append)
        done.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    if not outcome:
        raise click.Abort
    result = outcome[0]
    if isinstance(result, Failure):
        result.raiseException()
    return result
