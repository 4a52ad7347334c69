import select
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet import reactor
from twisted.internet.interfaces import IReactorCore, IReactorFDSet
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from echod import DatagramPort, EchodError
from echod.errors import EX_CANTCREAT
from echod.settings import Transport
from echod.transport import choice
from echod.transport.batched import mmsg
from echod.transport.batched.port import BatchedDatagramPort
from echod.transport.choice import transports
from echod.transport.nested import NestedReactor

ROOT = Path(__file__).parents[2]

KINDS: list[Transport] = ["auto", "fast", "stock"]


@pytest.mark.parametrize("wanted", ["auto", "fast"])
def test_fast_is_a_nested_reactor(wanted: Transport) -> None:
    """Where there is all that is needed, the fast transports are chosen."""
    chosen = transports(wanted, IReactorCore(reactor))
    assert ("fast", BatchedDatagramPort) == (chosen.name, chosen.datagram_port)
    assert isinstance(chosen.reactor, NestedReactor)
    assert IReactorFDSet.providedBy(chosen.reactor)


def test_stock_is_what_was_given() -> None:
    """Nothing stands between the stock transports and the reactor."""
    chosen = transports("stock", IReactorCore(reactor))
    assert ("stock", DatagramPort) == (chosen.name, chosen.datagram_port)
    assert reactor is chosen.reactor


def test_no_recvmmsg_no_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without recvmmsg(2) has fast streams, and datagrams one by one."""
    monkeypatch.setattr(mmsg, "is_available", lambda: False)
    chosen = transports("fast", IReactorCore(reactor))
    assert ("fast", DatagramPort) == (chosen.name, chosen.datagram_port)


def _without_epoll(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delattr(select, "epoll")
    return reactor


def _without_descriptors(_: pytest.MonkeyPatch) -> Any:
    return Clock()


@pytest.mark.parametrize("place", [_without_epoll, _without_descriptors])
def test_fast_is_not_everywhere(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without epoll(7) or descriptors auto is stock, and fast is told in one line."""
    where = place(monkeypatch)
    for wanted in KINDS:
        if wanted == "fast":
            continue
        chosen = transports(wanted, where)
        assert ("stock", where) == (chosen.name, chosen.reactor)
        assert DatagramPort is chosen.datagram_port
    with pytest.raises(EchodError) as caught:
        transports("fast", where)
    assert (
        "transport is fast: that needs epoll(7), and a reactor that watches file "
        "descriptors; want auto or stock"
    ) == str(caught.value)
    assert EX_CANTCREAT == caught.value.exit_code


def test_reactor_in_memory_is_fit() -> None:
    """A reactor for tests that takes descriptors is one like any other."""
    chosen = choice.transports("auto", cast("IReactorCore", MemoryReactorClock()))
    assert isinstance(chosen.reactor, NestedReactor)


def test_program_without_epoll_says_so() -> None:
    """A process that wants fast, and cannot have it, ends with one line and a code."""
    program = """if True:
        import select, sys
        del select.epoll
        from echod.__main__ import main
        sys.argv = ["echod", "serve", "--port", "0", "--transport", "fast"]
        main()
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert EX_CANTCREAT == done.returncode
    (line,) = done.stderr.splitlines()
    assert "transport is fast" in line
    assert "want auto or stock" in line
