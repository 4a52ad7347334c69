"""
What an echo service has done: plain numbers that only grow.

They are added to where things happen and read where somebody asks; nothing is
computed for them on the way.
"""

from collections import Counter

from attrs import define, field

from ..policy.source import Refusal


@define
class StreamCounters:
    """
    Attributes:
        made: connections that began.
        lost: connections that ended; ``made - lost`` are open.
        timed_out: those among them that ended because nothing moved.
        received_bytes: bytes of the connections that ended.
    """

    made: int = 0
    lost: int = 0
    timed_out: int = 0
    received_bytes: int = 0


@define
class DatagramCounters:
    """
    Attributes:
        answered: datagrams handed to the transport to be sent back.
        refused: datagrams that must not be answered, by reason.
        failed: datagrams whose answer the transport did not take.
    """

    answered: int = 0
    refused: Counter[Refusal] = field(factory=Counter)
    failed: int = 0
