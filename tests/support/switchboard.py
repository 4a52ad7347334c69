"""A reactor whose turns are a test's."""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet
from zope.interface import implementer


@implementer(IReactorFDSet)
class Switchboard:
    """
    Notes who wants to read and to write, and what is to be called later.

    Attributes:
        readers: as they came.
        writers: the same.
        calls: what ``callLater`` was given, whatever its time.
    """

    def __init__(self) -> None:
        self.readers: list[Any] = []
        self.writers: list[Any] = []
        self.calls: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def addReader(self, reader: Any) -> None:
        if reader not in self.readers:
            self.readers.append(reader)

    def addWriter(self, writer: Any) -> None:
        if writer not in self.writers:
            self.writers.append(writer)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writers:
            self.writers.remove(writer)

    def removeAll(self) -> list[Any]:
        removed = [
            *self.readers,
            *(it for it in self.writers if it not in self.readers),
        ]
        self.readers, self.writers = [], []
        return removed

    def getReaders(self) -> list[Any]:
        return list(self.readers)

    def getWriters(self) -> list[Any]:
        return list(self.writers)

    def callLater(self, _: float, call: Callable[..., object], *args: Any) -> None:
        self.calls.append((call, args))

    def call(self) -> None:
        """What was to be called later is called now."""
        calls, self.calls = self.calls, []
        for call, args in calls:
            call(*args)
