"""
UNIX sockets of a server, bound to their names; see unix(7).

A file of a socket outlives it. Whether somebody has one is known to the system, which
does not care who made it when: connect(2) with a datagram socket says ECONNREFUSED
only if nobody has bound it, EPROTOTYPE if somebody has it for streams, even before
they listen, and takes no connection from them.
"""

import errno
import fcntl
import grp
import os
import pwd
import re
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

from attrs import define, frozen

from ...errors import (
    EX_CANTCREAT,
    EX_NOPERM,
    EX_OSERR,
    EX_UNAVAILABLE,
    EX_USAGE,
    CannotListen,
    ConfigError,
    explain,
    shown,
)
from ...wire.local import MAX_PATH_BYTES, UnixListener, system_name

_TYPES = {"unix": socket.SOCK_STREAM, "unixgram": socket.SOCK_DGRAM}

# Until its owner and group are set, a socket is for those alone who make it. It must
# be for them, or they could not ask about what a start that was killed has left.
_FIRST_MODE = 0o600

# Whoever has the lock needs it for less than a millisecond. It is only between echods:
# a stranger who holds it must not keep one of them from starting.
LOCK_TRIES = 100
LOCK_PAUSE_S = 0.01

# Uids and gids are 32 bits; all ones stand for none (chown(2)).
_MOST_ID = 2**32 - 2

_FORBIDDEN = ("the right to make a socket there", EX_NOPERM)
_NO_FOLDER = ("a path in a folder that is there", EX_CANTCREAT)
_REMEDIES = {
    errno.EADDRINUSE: ("a name that nothing else listens on", EX_UNAVAILABLE),
    errno.EAFNOSUPPORT: ("an address family that this host has", EX_UNAVAILABLE),
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: ("a path that can be written to", EX_CANTCREAT),
    errno.ENOENT: _NO_FOLDER,
    errno.ENOTDIR: _NO_FOLDER,
    # Python says without a number that a path does not fit.
    None: (f"a path of at most {MAX_PATH_BYTES} bytes", EX_USAGE),
}


@frozen
class _SocketFile:
    """What bind(2) has made."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: str | Path, found: os.stat_result) -> Self:
        return cls(Path(path).absolute(), found.st_dev, found.st_ino)

    def remove(self) -> None:
        with suppress(OSError):  # It is gone, or the right to remove it.
            found = self.path.lstat()
            if (self.device, self.inode) == (found.st_dev, found.st_ino):
                self.path.unlink()


@define
class OpenedUnix:
    """
    A socket that is bound to its name.

    Attributes:
        socket: non-blocking, and listening if it is of streams.
    """

    socket: socket.socket
    _file: _SocketFile | None

    def remove(self) -> None:
        """
        Remove the socket's file, unless it is gone or something else has its name;
        again does nothing. Never raises.

        Call it while the socket is still open, be it in another object: then no other
        file can have the number that it is known by, and nobody takes it for stale.
        """
        if self._file is not None:
            self._file.remove()
            self._file = None


def open_unix(listener: UnixListener) -> OpenedUnix:
    """
    Nobody but this process's user can connect before the owner, the group and the mode
    are set, and no file is removed but that of a socket which nobody has.

    Returns:
        The socket. Who closes it removes its file first.

    Raises:
        CannotListen: the system will not have it, or somebody else has it; nothing is
            left open, and no file.
        ConfigError: its owner or its group does not exist.
    """
    uid = _id(listener, "owner", listener.owner, lambda it: pwd.getpwnam(it).pw_uid)
    gid = _id(listener, "group", listener.group, lambda it: grp.getgrnam(it).gr_gid)
    try:
        with ExitStack() as undo:
            opened = socket.socket(socket.AF_UNIX, _TYPES[listener.protocol])
            undo.callback(opened.close)
            opened.setblocking(False)
            if opened.type == socket.SOCK_DGRAM:
                # Whose a datagram is must be known from the first one on.
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            file = None
            if listener.is_abstract:
                opened.bind(system_name(listener.path))
            else:
                file = _bind(opened, listener)
                undo.callback(file.remove)
                _set_rights(file, listener, uid, gid)
            if opened.type == socket.SOCK_STREAM:
                opened.listen(listener.backlog)
            undo.pop_all()
    except OSError as error:
        raise _cannot_listen(listener, error) from error
    return OpenedUnix(opened, file)


def _id(
    listener: UnixListener, what: str, name: str, look_up: Callable[[str], int]
) -> int:
    """The number of a user or group; -1, which chown(2) leaves alone, for none."""
    if not name:
        return -1
    with suppress(KeyError, ValueError):  # There is none, or there can be none.
        return look_up(name)
    if re.fullmatch("[0-9]{1,10}", name) and int(name) <= _MOST_ID:
        return int(name)
    kind = "user" if what == "owner" else what
    msg = f"listen {shown(listener)}: {what} is {shown(name)}; want a {kind} of"
    raise ConfigError(f"{msg} this host, or a number")


def _bind(opened: socket.socket, listener: UnixListener) -> _SocketFile:
    path = listener.path
    # Linux gives the file the mode of the socket, less the umask. The umask is that of
    # every thread, and is left as it is.
    os.fchmod(opened.fileno(), _FIRST_MODE)
    with _alone_in(Path(path).parent):
        try:
            opened.bind(path)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            with suppress(FileNotFoundError):  # Its owner has just removed it.
                _remove_stale(listener)
            opened.bind(path)
        found = os.lstat(path)
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise _replaced(listener)
    return _SocketFile.of(path, found)


def _replaced(listener: UnixListener) -> CannotListen:
    reason = "something else has taken the socket's place"
    wanted = "a folder in which nobody else moves things"
    return CannotListen(listener, reason, wanted, EX_NOPERM)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """
    No other echod binds in ``folder`` meanwhile: what is stale to one of them could be
    the other's new socket when it is removed.

    flock(2) works on folders and leaves no file behind. Where it cannot be had, for
    want of the right to read the folder, things go on without it.
    """
    try:
        locked = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:  # If it matters, bind will say so.
        yield
        return
    try:
        with suppress(OSError):
            _lock(locked)
        yield
    finally:
        os.close(locked)


def _lock(descriptor: int) -> None:
    for _ in range(LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOCK_PAUSE_S)
        else:
            return


def _remove_stale(listener: UnixListener) -> None:
    """
    Remove the file of a socket that nobody has.

    Raises:
        CannotListen: it is none.
        FileNotFoundError: it has gone.
    """
    path = Path(listener.path)
    if not stat.S_ISSOCK(path.lstat().st_mode):
        reason = "something else than a socket is there"
        raise CannotListen(listener, reason, "a path that is free", EX_CANTCREAT)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(listener.path)
        except ConnectionRefusedError:
            path.unlink()
        except OSError as error:
            if error.errno == errno.EACCES:
                reason = "the socket that is there may not be asked if it is in use"
                wanted = "the right to write to it, or another path"
                raise CannotListen(listener, reason, wanted, EX_NOPERM) from error
            # EPROTOTYPE, and EPERM from datagram sockets that have one peer: it is in
            # use, as bind will say again. What else there may be is no proof either.
            if error.errno == errno.ENOENT:
                raise


def _set_rights(file: _SocketFile, listener: UnixListener, uid: int, gid: int) -> None:
    """
    Raises:
        CannotListen: they are not ours to set, or the file is not there any more.
    """
    # chmod(2) and chown(2) would follow a link that has taken its place by now.
    descriptor = os.open(file.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if file != _SocketFile.of(file.path, os.fstat(descriptor)):
            raise _replaced(listener)
        itself = f"/proc/self/fd/{descriptor}"
        # First the owner: the mode may let in more than who has it now.
        if (uid, gid) != (-1, -1):
            os.chown(itself, uid, gid)
        os.chmod(itself, listener.mode)  # noqa: PTH101 - as chown, which Path has not
    except PermissionError as error:
        wanted = "the right to set its owner and group"
        raise CannotListen(listener, explain(error), wanted, EX_NOPERM) from error
    finally:
        os.close(descriptor)


def _cannot_listen(listener: UnixListener, error: OSError) -> CannotListen:
    wanted, exit_code = _REMEDIES.get(error.errno, ("a working listener", EX_OSERR))
    return CannotListen(listener, explain(error), wanted, exit_code)
