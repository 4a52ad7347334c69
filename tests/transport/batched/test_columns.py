import socket

import pytest

from echod.transport.batched.columns import columns
from echod.transport.batched.slots import IPV4, IPV6, Slots
from echod.wire import pktinfo

from ...support.turned import asker


def received(host: str) -> Slots:
    """Slots with one datagram that was sent to ``host``."""
    is_ipv6 = ":" in host
    layout = IPV6 if is_ipv6 else IPV4
    option = (
        (socket.IPPROTO_IPV6, pktinfo.IPV6_RECVPKTINFO)
        if is_ipv6
        else (socket.IPPROTO_IP, pktinfo.IP_PKTINFO)
    )
    with socket.socket(layout.family, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(*option, 1)
        receiver.bind((host, 0))
        with asker(receiver.getsockname()[:2]) as client:
            client.send(b"x")
        slots = Slots(layout, 2, 100)
        assert 1 == slots.receive(receiver.fileno())
    return slots


def test_link_local_address_is_looked_at() -> None:
    """An answer from a link-local address keeps its interface: it is not plain."""
    slots = received("::1")
    assert columns(slots, 1).are_plain()
    asked = slots.controls + pktinfo.HEADER_BYTES
    slots.view[asked : asked + 2] = b"\xfe\x80"
    assert not columns(slots, 1).are_plain()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_answers_are_what_pktinfo_says(host: str) -> None:
    """The way back is the one of the single datagram, without the interface."""
    slots = received(host)
    expected = pktinfo.answer(slots.control(0))
    assert expected != slots.control(0), "the system named no interface"
    columns(slots, 1).prepare_answers()
    assert expected == slots.control(0)
