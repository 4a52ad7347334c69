from typing import cast

import pytest
from twisted.internet import reactor
from twisted.internet.interfaces import IReactorFDSet

from echod.client import datagram
from echod.client.datagram import DatagramClient
from echod.errors import CannotReach
from echod.wire.target import Target

NOBODY = Target(protocol="udp", host="127.255.255.255", port=7)


async def test_unusable_address_is_told() -> None:
    """An address that the system will not send to is told in its words."""
    with pytest.raises(CannotReach) as caught:
        await datagram.echo(NOBODY, b"x", 1.0, cast("IReactorFDSet", reactor))
    assert (
        "udp:127.255.255.255:7: permission denied; want a host that can be reached"
    ) == str(caught.value)


async def test_first_answer_counts() -> None:
    """What comes after the answer changes nothing."""
    client = DatagramClient(NOBODY)
    client.datagramReceived(b"first", ("127.0.0.1", 7))
    client.datagramReceived(b"second", ("127.0.0.1", 7))
    client.connectionRefused()
    assert b"first" == await client.answer
