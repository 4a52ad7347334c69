"""A network namespace of a test's own."""

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import pytest

P = ParamSpec("P")
T = TypeVar("T")

#: The two queues of ``Network.shape``, as a socket's SO_PRIORITY names them.
SLOW = 0x0001_0001
FAST = 0x0001_0002

# From linux/sched.h; Python's os module has it from 3.12 on.
_CLONE_NEWNET = 0x4000_0000

_PATIENCE_S = 10.0


class Network:
    """
    A network that nobody else uses: one loopback interface, up; a context manager.

    It is the network of one thread. What that thread opens or starts stays in it,
    whoever uses it afterwards. Skips the test where the system does not allow it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        try:
            self.call(_leave_the_host)
            self.run("ip", "link", "set", "lo", "up")
        except OSError as error:
            self._thread.shutdown()
            pytest.skip(f"needs the right to make a network namespace: {error}")
        except BaseException:
            self._thread.shutdown()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``function`` returns when it is called inside the network."""
        return self._thread.submit(function, *args, **kwargs).result()

    @contextmanager
    def inside(self, context: AbstractContextManager[T]) -> Iterator[T]:
        """``context``, entered inside the network; a context manager."""
        entered = self.call(context.__enter__)
        try:
            yield entered
        finally:
            context.__exit__(None, None, None)

    def run(self, *command: str) -> None:
        """Run a program inside the network; AssertionError if it fails."""
        done = self.call(
            subprocess.run,
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"

    def socket(
        self, kind: socket.SocketKind, family: socket.AddressFamily = socket.AF_INET
    ) -> socket.socket:
        """A socket inside the network, with a timeout."""
        opened = self.call(socket.socket, family, kind)
        opened.settimeout(_PATIENCE_S)
        return opened

    def shape(self, rate: str, *, burst: str, default: int) -> None:
        """
        Give loopback two queues; skips the test where the kernel has no sch_htb.

        Args:
            rate: of the ``SLOW`` queue, as tc(8) writes it.
            burst: how much leaves that queue at once, as tc(8) writes it.
            default: the queue of the sockets that did not choose one.
        """
        queue = ("tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "htb")
        try:
            self.run(*queue, "default", str(default & 0xFFFF))
        except AssertionError as error:
            pytest.skip(f"needs a kernel with sch_htb: {error}")
        part = ("tc", "class", "add", "dev", "lo", "parent", "1:", "classid")
        self.run(*part, "1:1", "htb", "rate", rate, "burst", burst)
        self.run(*part, "1:2", "htb", "rate", "10gbit")


def _leave_the_host() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
