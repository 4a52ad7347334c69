"""Which way bytes may go over a TLS connection just now."""

from typing import Any

from twisted.internet.interfaces import IProducer, IPushProducer
from zope.interface import implementer

# How much of what OpenSSL writes by itself may wait for a peer that does not read. It
# answers each KeyUpdate with one of its own, of 27 bytes.
MAX_ANSWER_BYTES = 16 * 1024


# Twisted asks for either interface of those that it calls producers.
@implementer(IPushProducer)
class Flow:
    """
    Stands between a raw transport and who produces what it sends: passes on that the
    transport is full, and remembers it.

    Reading stops as long as the protocol wants, and as long as too many answers of
    OpenSSL's own wait. It does not stop for the protocol's own bytes: a client that
    writes more than is taken must read to get rid of it.

    Args:
        raw: the transport.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._producer: Any = None
        self._is_pulled = False
        self._is_told_to_pause = False
        self._is_full = False
        self._answer_bytes = 0
        self._is_paused = False
        self._has_read_all = False
        self._has_ended = False
        raw.registerProducer(self, True)

    @property
    def is_produced(self) -> bool:
        """Whether somebody is registered who may have more to write."""
        return self._producer is not None

    # What the protocol wants

    def register(self, producer: IProducer, *, is_push: bool) -> None:
        """See ``IConsumer.registerProducer``."""
        if self._producer is not None:
            msg = f"cannot register {producer}: {self._producer} is registered"
            raise RuntimeError(msg)
        self._producer = producer
        self._is_told_to_pause = False
        if not is_push:
            self._is_pulled = self._is_full = True
            self._raw.unregisterProducer()
            self._raw.registerProducer(self, False)

    def unregister(self) -> None:
        """See ``IConsumer.unregisterProducer``."""
        self._producer = None
        if self._is_pulled and not self._has_ended:
            self._is_pulled = self._is_full = False
            self._raw.unregisterProducer()
            self._raw.registerProducer(self, True)

    def pause_reading(self) -> None:
        """Read nothing more until ``resume_reading``."""
        self._is_paused = True
        self._raw.pauseProducing()

    def resume_reading(self) -> None:
        """Read again, as soon as not too many answers wait."""
        self._is_paused = False
        self._read_on()

    def end_reading(self) -> None:
        """There is no more to read."""
        self._has_read_all = True

    def end(self) -> None:
        """Nothing more will be written: the raw transport has nobody to wait for."""
        self._has_ended = True
        self._raw.unregisterProducer()

    # What OpenSSL does

    def answered(self, size_bytes: int) -> None:
        """So much has been written that the protocol did not ask for."""
        if self._is_full:
            self._answer_bytes += size_bytes
            if self._answer_bytes > MAX_ANSWER_BYTES:
                self._raw.pauseProducing()

    def _read_on(self) -> None:
        is_wanted = not self._is_paused and not self._has_read_all
        if is_wanted and self._answer_bytes <= MAX_ANSWER_BYTES:
            self._raw.resumeProducing()

    # What the raw transport says

    def pauseProducing(self) -> None:
        self._is_full = True
        if self._producer is not None:
            self._is_told_to_pause = True
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        self._is_full = self._is_pulled
        if self._answer_bytes:
            self._answer_bytes = 0
            self._read_on()
        if self._producer is not None and (self._is_pulled or self._is_told_to_pause):
            self._is_told_to_pause = False
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """Tell the producer, once, that nobody takes anything more."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
