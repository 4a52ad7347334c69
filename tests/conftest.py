"""What every test may count on: a deadline, a clean reactor, its peers or a skip."""

import functools
import gc
import inspect
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
import pytest_twisted
from hypothesis import settings
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogPublisher,
)
from zope.interface import provider

#: The most that a test with a reactor may take.
DEADLINE_S = 30.0

# How long the far side of a connection may take to notice its end.
SETTLING_TURNS = 100
SETTLING_TURN_S = 0.01

settings.register_profile("echod", deadline=None, max_examples=200)
settings.load_profile("echod")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "deadline(seconds): other than 30 s")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        _skip_without_peers(item)
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            marker = item.get_closest_marker("deadline")
            item.obj = with_deadline(item.obj, marker.args[0] if marker else DEADLINE_S)
            # First in, last out: after the fixtures have put their things away.
            item.fixturenames.insert(0, "clean_reactor")


def with_deadline(
    test: Callable[..., Any], deadline_s: float
) -> Callable[..., Deferred[Any]]:
    """The same test, failing alone when it takes longer; pytest-timeout ends all."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> Deferred[Any]:
        done = Deferred.fromCoroutine(test(*args, **kwargs))
        return done.addTimeout(deadline_s, IReactorTime(reactor))

    # pytest-twisted drives what returns a Deferred, and awaits coroutine functions
    # itself; this must count as the former.
    del run.__wrapped__
    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    return run


def _skip_without_peers(item: pytest.Item) -> None:
    for marker in item.iter_markers("peer"):
        for program in marker.args:
            if shutil.which(program) is None and not os.environ.get("REQUIRE_PEERS"):
                item.add_marker(pytest.mark.skip(f"needs {program} on PATH"))


def _watched() -> tuple[set[Any], set[Any]]:
    timed = set(IReactorTime(reactor).getDelayedCalls())
    files = IReactorFDSet(reactor)
    own: set[Any] = getattr(reactor, "_internalReaders", set())
    return timed, {*files.getReaders(), *files.getWriters()} - own


@pytest.fixture(scope="session", autouse=True)
def _lasting_objects() -> None:
    """What is there before the first test need not be looked at after each."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def clean_reactor(errors: list[LogEvent]) -> Iterator[None]:  # noqa: ARG001
    """
    Fails the test that leaves a timer, a socket or an unhandled failure behind. The
    last is logged when it is collected, so ``errors`` must still be listening then.
    """
    before = _watched()
    yield
    for _ in range(SETTLING_TURNS):
        left = [now - then for now, then in zip(_watched(), before, strict=True)]
        if not any(left):
            break
        pytest_twisted.blockon(deferLater(IReactorTime(reactor), SETTLING_TURN_S))
    gc.collect()
    assert left == [set(), set()], "left behind in the reactor"


@pytest.fixture(autouse=True)
def errors() -> Generator[list[LogEvent]]:
    """The errors that were logged; what is still in the list at the end fails."""
    logged: list[LogEvent] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        if event.get("log_level", LogLevel.info) >= LogLevel.error:
            logged.append(event)

    globalLogPublisher.addObserver(observe)
    yield logged
    globalLogPublisher.removeObserver(observe)
    assert logged == [], "logged errors"


@pytest.fixture
def lines() -> Generator[list[str]]:
    """What is logged, as text."""
    logged: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        logged.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield logged
    globalLogPublisher.removeObserver(observe)
