"""
The sockets that whoever started the process has opened for it.

Source: sd_listen_fds(3). The descriptors are 3 and up; LISTEN_FDS in the environment
says how many, LISTEN_PID for which process, and LISTEN_FDNAMES what they are called.
"""

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from attrs import frozen
from twisted.internet import endpoints

from ...errors import EX_CONFIG, EX_OSERR, CannotListen, explain, shown
from ...wire.inherited import InheritedListener
from .inherited_socket import InheritedSocket, NoSocket

# The environment with which the process began. Of os.environ, Twisted has deleted
# LISTEN_PID and LISTEN_FDS by now: its endpoints do, when they are imported. And what
# it keeps for itself is nothing where there are no names.
INITIAL_ENVIRONMENT = Path("/proc/self/environ")

# SD_LISTEN_FDS_START.
_FIRST_DESCRIPTOR = 3

# What sd_listen_fds_with_names calls descriptors without a name.
_UNNAMED = "unknown"

_SOCKET_UNIT = "a start by a systemd socket unit, or by systemd-socket-activate"


@frozen
class InheritedSockets:
    """
    All that a process has inherited.

    Args:
        descriptors: their numbers, in order.
        names: what each is called; all are ``unknown`` unless each has a name.
        owner: the process that they were given to, if that is another one.
    """

    descriptors: Sequence[int] = ()
    names: Sequence[str] = ()
    owner: str = ""

    @classmethod
    def of_process(cls, initial_environment: Path = INITIAL_ENVIRONMENT) -> Self:
        """
        Ask before the process becomes a daemon: a child is told of nothing but what
        Twisted remembers.

        Args:
            initial_environment: a file in the form of ``/proc/self/environ``; need not
                be there.

        Returns:
            What this process has inherited, and from now on will not hand down.
        """
        told = _variables(initial_environment)
        descriptors: Sequence[int] = ()
        names: Sequence[str] = ()
        if told.get("LISTEN_PID") == str(os.getpid()):
            descriptors = range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _count(told))
            names = told.get("LISTEN_FDNAMES", "").split(":")
        if not descriptors:
            remembered = endpoints._SystemdParser._sddaemon  # noqa: SLF001 - no other
            descriptors = remembered.inheritedDescriptors()
            names = remembered._names  # noqa: SLF001 - the public ones are a dict
        for descriptor in descriptors:
            with suppress(OSError):  # It is not open: whoever wants it will be told.
                os.set_inheritable(descriptor, False)
        return cls(descriptors, names, told.get("LISTEN_PID", ""))

    def share_out(
        self, listeners: Iterable[InheritedListener]
    ) -> list[tuple[InheritedListener, InheritedSocket]]:
        """
        Returns:
            Each listener with each of its sockets.

        Raises:
            CannotListen: one has none, or two have the same.
        """
        owners: dict[int, InheritedListener] = {}
        shared = []
        for listener in listeners:
            for found in self.matching(listener):
                at = found.descriptor
                if at in owners:
                    reason = f"descriptor {at} is taken by {shown(owners[at])}"
                    wanted = "each socket in one listener"
                    raise _cannot_listen(listener, reason, wanted)
                owners[at] = listener
                shared.append((listener, found))
        return shared

    def open(
        self, listener: InheritedListener
    ) -> list[tuple[InheritedSocket, socket.socket]]:
        """
        Returns:
            The sockets that a listener means, one at least, each with a duplicate
            that is ready to be served.

        Raises:
            CannotListen: as ``matching``, or the system will not have it; nothing is
                left open.
        """
        with ExitStack() as undo:
            try:
                opened = [
                    (it, undo.enter_context(it.duplicate()))
                    for it in self.matching(listener)
                ]
            except OSError as error:
                wanted = "room for more open files"
                raise CannotListen(
                    listener, explain(error), wanted, EX_OSERR
                ) from error
            undo.pop_all()
            return opened

    def matching(self, listener: InheritedListener) -> list[InheritedSocket]:
        """
        Returns:
            The sockets that a listener means, one at least.

        Raises:
            CannotListen: there are none, or one of them cannot be served.
        """
        found, others = [], []
        for descriptor in self._meant(listener):
            it = _look_at(descriptor, listener)
            is_meant = listener.domain in ("", it.domain)
            if not is_meant or listener.type not in ("", it.type):
                others.append(f"{it.domain} {it.type}")
            elif it.problem:
                what, wanted = it.problem
                reason = f"descriptor {descriptor} is {what}"
                raise _cannot_listen(listener, reason, wanted)
            else:
                found.append(it)
        if not found:
            reason = f"what was inherited is {', '.join(others)}"
            wanted = f"{listener.domain} {listener.type}".strip()
            raise _cannot_listen(listener, reason, wanted)
        return found

    def _meant(self, listener: InheritedListener) -> list[int]:
        """The descriptors that the name or the index of a listener stands for."""
        count = len(self.descriptors)
        if not count:
            raise self._nothing(listener)
        if listener.index is not None:
            if listener.index >= count:
                reason = f"{count} {'socket was' if count == 1 else 'sockets were'}"
                wanted = f"an index of 0 to {count - 1}" if count > 1 else "index 0"
                raise _cannot_listen(listener, f"{reason} inherited", wanted)
            return [self.descriptors[listener.index]]
        names = self.names if len(self.names) == count else [_UNNAMED] * count
        named = zip(names, self.descriptors, strict=True)
        meant = [descriptor for name, descriptor in named if name == listener.name]
        if not meant:
            wanted = shown(" or ".join(dict.fromkeys(names)))
            reason = "no inherited socket has this name"
            raise _cannot_listen(listener, reason, wanted)
        return meant

    def _nothing(self, listener: InheritedListener) -> CannotListen:
        if self.owner in ("", str(os.getpid())):
            return _cannot_listen(listener, "no socket was inherited", _SOCKET_UNIT)
        reason = f"the sockets are for process {shown(self.owner)}, not {os.getpid()}"
        wanted = "no program between this one and the one that opens them"
        return _cannot_listen(listener, reason, wanted)


def _look_at(descriptor: int, listener: InheritedListener) -> InheritedSocket:
    try:
        return InheritedSocket.look_at(descriptor)
    except NoSocket as error:
        reason = f"descriptor {descriptor} is {error}"
        raise _cannot_listen(listener, reason, "a socket") from error


def _cannot_listen(
    listener: InheritedListener, reason: str, wanted: str
) -> CannotListen:
    return CannotListen(listener, reason, wanted, EX_CONFIG)


def _variables(environment: Path) -> dict[str, str]:
    try:
        written = os.fsdecode(environment.read_bytes())
    except OSError:
        return {}
    pairs = (it.partition("=") for it in written.split("\0"))
    return {name: value for name, _, value in pairs}


def _count(told: Mapping[str, str]) -> int:
    """How many descriptors there are said to be; 0 where that makes no sense."""
    try:
        count = int(told["LISTEN_FDS"])
    except (KeyError, ValueError):
        return 0
    return count if 0 < count < os.sysconf("SC_OPEN_MAX") else 0
