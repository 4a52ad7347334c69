import errno
import fcntl
import grp
import os
import pwd
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from echod.errors import (
    EX_CANTCREAT,
    EX_CONFIG,
    EX_NOPERM,
    EX_OSERR,
    EX_UNAVAILABLE,
    EX_USAGE,
    CannotListen,
    ConfigError,
)
from echod.transport.sockets import unix
from echod.transport.sockets.unix import OpenedUnix, open_unix
from echod.wire.local import UnixListener, UnixProtocol

from ...support.descriptors import descriptors
from ...support.program import without

PROTOCOLS: tuple[UnixProtocol, ...] = ("unix", "unixgram")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs to be root")


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> UnixProtocol:
    """Either protocol; what holds for the names holds for both."""
    name: UnixProtocol = request.param
    return name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "echo.sock"


def listener(path: Path, protocol: UnixProtocol = "unix", **more: Any) -> UnixListener:
    return UnixListener(protocol=protocol, path=str(path), **more)


@contextmanager
def opened(it: UnixListener) -> Iterator[OpenedUnix]:
    made = open_unix(it)
    with made.socket:
        try:
            yield made
        finally:
            made.remove()


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def killed(path: Path, kind: socket.SocketKind = socket.SOCK_STREAM) -> None:
    """Leave behind what a server leaves that was killed."""
    with socket.socket(socket.AF_UNIX, kind) as made:
        made.bind(str(path))


def refusal(it: UnixListener) -> CannotListen:
    before = descriptors()
    with pytest.raises(CannotListen) as caught:
        open_unix(it)
    assert before == descriptors()
    assert str(caught.value).isprintable()
    return caught.value


class TestOpening:
    """What is open, and who may use it."""

    def test_stream_listens(self, path: Path) -> None:
        """A socket for streams takes connections, and does not block."""
        with opened(listener(path)) as made:
            assert not made.socket.getblocking()
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))

    def test_datagram_is_bound(self, path: Path) -> None:
        """A socket for datagrams takes them, and does not block."""
        with opened(listener(path, "unixgram")) as made:
            assert not made.socket.getblocking()
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
                client.sendto(b"x", str(path))
            assert b"x" == made.socket.recv(1)

    def test_name_is_what_was_asked_for(
        self, path: Path, protocol: UnixProtocol
    ) -> None:
        """A client that looks where an answer comes from sees the path it asked."""
        with opened(listener(path, protocol)) as made:
            assert str(path) == made.socket.getsockname()

    def test_backlog_is_that_of_the_listener(self, path: Path) -> None:
        """So many connections may wait, and one more, and no others."""
        with opened(listener(path, backlog=2)):
            clients = [socket.socket(socket.AF_UNIX) for _ in range(4)]
            for client in clients:
                client.setblocking(False)
            results = [client.connect_ex(str(path)) for client in clients]
            for client in clients:
                client.close()
        assert [0, 0, 0, errno.EAGAIN] == results

    @pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777])
    @pytest.mark.parametrize("mode", [0o660, 0o666, 0o600, 0o777, 0])
    def test_mode_is_that_of_the_listener(
        self, path: Path, protocol: UnixProtocol, mode: int, mask: int
    ) -> None:
        """The umask neither takes rights away nor is it changed."""
        with umask(mask):
            made = open_unix(listener(path, protocol, mode=mode))
            assert mask == os.umask(mask)
        with made.socket:
            assert stat.S_IFSOCK | mode == path.lstat().st_mode
            made.remove()

    def test_others_are_never_let_in_before_the_mode_is_set(
        self, path: Path, protocol: UnixProtocol, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Until it has its owner and group, the file is for this user alone."""
        seen = []
        chmod = os.chmod

        def look(name: str, mode: int) -> None:
            seen.append(stat.S_IMODE(path.lstat().st_mode))
            chmod(name, mode)

        monkeypatch.setattr(os, "chmod", look)
        with umask(0), opened(listener(path, protocol, mode=0o666)):
            assert [0o600] == seen

    def test_nobody_connects_before_the_owner_is_set(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A socket for streams listens when all else is done."""
        results = []

        def look(*_: object) -> None:
            with socket.socket(socket.AF_UNIX) as client:
                results.append(client.connect_ex(str(path)))

        monkeypatch.setattr(os, "chmod", look)
        with opened(listener(path)):
            assert [errno.ECONNREFUSED] == results

    def test_relative_path_is_removed_from_another_folder(
        self, tmp_path: Path, protocol: UnixProtocol, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A path means the file that it meant when it was opened."""
        monkeypatch.chdir(tmp_path)
        with opened(UnixListener(protocol=protocol, path="echo.sock")) as made:
            monkeypatch.chdir("/")
            made.remove()
            assert [] == [*tmp_path.iterdir()]

    def test_path_may_have_any_bytes(
        self, tmp_path: Path, protocol: UnixProtocol
    ) -> None:
        """Names of files are no text, and neither are those of sockets."""
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n:="))
        with opened(listener(path, protocol)):
            assert path.is_socket()
        assert not path.exists()


class TestOwner:
    """Whose the file is."""

    @as_root
    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ({}, (0, 0)),
            ({"owner": "nobody"}, (pwd.getpwnam("nobody").pw_uid, 0)),
            ({"group": "nogroup"}, (0, grp.getgrnam("nogroup").gr_gid)),
            ({"owner": "12345", "group": "54321"}, (12_345, 54_321)),
            ({"owner": "0", "group": "4294967294"}, (0, 4_294_967_294)),
        ],
    )
    def test_owner_and_group(
        self,
        path: Path,
        protocol: UnixProtocol,
        more: dict[str, Any],
        expected: tuple[int, int],
    ) -> None:
        """A name or a number says whose it is; without either it is this process's."""
        with opened(listener(path, protocol, mode=0o606, **more)):
            found = path.lstat()
        assert expected == (found.st_uid, found.st_gid)
        assert 0o606 == stat.S_IMODE(found.st_mode)

    def test_own_group_needs_no_right(self, path: Path) -> None:
        """Who is not root may give a socket to a group that it is in."""
        with opened(listener(path, group=str(os.getegid()))):
            assert os.getegid() == path.lstat().st_gid

    @pytest.mark.parametrize("name", ["no such one", "4294967295", "-1", "a\0b", "٣"])
    def test_unknown_owner_is_told(self, path: Path, name: str) -> None:
        """A user or a group that does not exist is one line, and nothing is opened."""
        for what, kind in (("owner", "user"), ("group", "group")):
            names: dict[str, Any] = {what: name}
            with pytest.raises(ConfigError) as caught:
                open_unix(listener(path, **names))
            assert f"{what} is " in str(caught.value)
            wanted = f"want a {kind} of this host, or a number"
            assert str(caught.value).endswith(wanted)
            assert EX_CONFIG == caught.value.exit_code
        assert not path.exists()

    def test_owner_that_may_not_be_set(
        self, path: Path, protocol: UnixProtocol, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who may not give a socket away is told so, and leaves no file."""

        def refuse(*_: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "chown", refuse)
        it = listener(path, protocol, owner="0")
        error = refusal(it)
        expected = (
            f"cannot listen on {it}: operation not permitted; "
            "want the right to set its owner and group"
        )
        assert (expected, EX_NOPERM) == (str(error), error.exit_code)
        assert not path.exists()

    @pytest.mark.parametrize("kind", ["link", "file", "nothing"])
    def test_what_took_the_place_of_the_file_is_left_alone(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """A link that somebody puts there does not give another file the rights."""
        victim = path.parent / "victim"
        victim.write_text("secret")
        victim.chmod(0o600)
        place(monkeypatch, "open", path, kind, victim)
        refusal(listener(path, mode=0o666))
        assert 0o600 == stat.S_IMODE(victim.stat().st_mode)
        assert "secret" == victim.read_text()

    @pytest.mark.parametrize("kind", ["link", "file", "nothing"])
    def test_what_took_its_place_at_once_is_left_alone(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """The same, before the file has been looked at at all."""
        victim = path.parent / "victim"
        victim.write_text("secret")
        place(monkeypatch, "lstat", path, kind, victim)
        refusal(listener(path))
        assert "secret" == victim.read_text()
        assert (kind != "nothing") == os.path.lexists(path)


def place(
    monkeypatch: pytest.MonkeyPatch, call: str, path: Path, kind: str, victim: Path
) -> None:
    """Let somebody replace ``path`` just before ``os.open`` or ``os.lstat`` of it."""
    real: Callable[..., Any] = getattr(os, call)

    def replace(name: object, *args: Any, **more: Any) -> Any:
        if str(name) == str(path) and path.is_socket():
            path.unlink()
            if kind == "link":
                path.symlink_to(victim)
            elif kind == "file":
                path.write_text("")
        return real(name, *args, **more)

    monkeypatch.setattr(os, call, replace)


class TestRemoval:
    """Cleaning up."""

    def test_file_goes(self, path: Path, protocol: UnixProtocol) -> None:
        """Nothing is left; again does nothing."""
        with opened(listener(path, protocol)) as made:
            made.remove()
            assert [] == [*path.parent.iterdir()]
            path.write_text("somebody's")
            made.remove()
            assert path.exists()

    def test_what_has_gone_is_no_matter(self, path: Path) -> None:
        """A file that an operator has removed is not missed."""
        with opened(listener(path)):
            path.unlink()

    def test_folder_that_has_gone_is_no_matter(
        self, tmp_path: Path, protocol: UnixProtocol
    ) -> None:
        """Nor is its folder."""
        folder = tmp_path / "run"
        folder.mkdir()
        with opened(listener(folder / "echo.sock", protocol)):
            (folder / "echo.sock").unlink()
            folder.rmdir()

    def test_successor_is_left_alone(self, path: Path, protocol: UnixProtocol) -> None:
        """What has taken the name meanwhile is not the socket that was made."""
        with opened(listener(path, protocol)) as first:
            path.rename(path.with_suffix(".old"))
            with opened(listener(path, protocol)):
                first.remove()
                assert path.is_socket()


class TestStale:
    """Names that are taken, or seem to be."""

    @pytest.mark.parametrize(
        "left", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET]
    )
    def test_stale_socket_is_replaced(
        self, path: Path, protocol: UnixProtocol, left: socket.SocketKind
    ) -> None:
        """The file of a socket that nobody has is removed, whatever it was for."""
        killed(path, left)
        with opened(listener(path, protocol)) as made:
            assert str(path) == made.socket.getsockname()
            assert 0o660 == stat.S_IMODE(path.lstat().st_mode)

    def test_after_a_kill(self, path: Path, protocol: UnixProtocol) -> None:
        """A server that was killed with SIGKILL leaves a file, and starts again."""
        program = (
            "import os, signal\n"
            "from echod.transport.sockets.unix import open_unix\n"
            "from echod.wire.local import UnixListener\n"
            f"open_unix(UnixListener(protocol={protocol!r}, path={str(path)!r}))\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        done = subprocess.run([sys.executable, "-c", program], check=False)
        assert -9 == done.returncode
        assert path.is_socket()
        with opened(listener(path, protocol)):
            pass

    @pytest.mark.parametrize(
        "theirs", [socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET]
    )
    def test_socket_in_use_is_refused(
        self, path: Path, protocol: UnixProtocol, theirs: socket.SocketKind
    ) -> None:
        """A socket that somebody has is left to them, also before it listens."""
        with socket.socket(socket.AF_UNIX, theirs) as other:
            other.bind(str(path))
            inode = path.lstat().st_ino
            it = listener(path, protocol)
            error = refusal(it)
            expected = (
                f"cannot listen on {it}: address already in use; "
                "want a name that nothing else listens on"
            )
            assert (expected, EX_UNAVAILABLE) == (str(error), error.exit_code)
            assert inode == path.lstat().st_ino

    def test_datagram_socket_with_a_peer_is_in_use(self, path: Path) -> None:
        """So is one that takes datagrams from its one peer alone."""
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer,
        ):
            peer.bind(str(path) + ".peer")
            other.bind(str(path))
            other.connect(str(path) + ".peer")
            assert EX_UNAVAILABLE == refusal(listener(path)).exit_code

    def test_service_does_not_notice_that_it_is_asked(self, path: Path) -> None:
        """To find out whether a server is there costs it no connection."""
        with opened(listener(path)) as made:
            refusal(listener(path))
            with pytest.raises(BlockingIOError):
                made.socket.accept()

    @pytest.mark.parametrize("kind", ["file", "folder", "fifo", "link", "dangling"])
    def test_what_is_no_socket_is_never_removed(
        self, path: Path, protocol: UnixProtocol, kind: str
    ) -> None:
        """Neither a file nor a folder nor a link, wherever it leads."""
        target = path.parent / "target"
        if kind == "file":
            path.write_text("mine")
        elif kind == "folder":
            path.mkdir()
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to(target)
            if kind == "link":
                killed(target)
        before = path.lstat()
        it = listener(path, protocol)
        error = refusal(it)
        expected = (
            f"cannot listen on {it}: something else than a socket is there; "
            "want a path that is free"
        )
        assert (expected, EX_CANTCREAT) == (str(error), error.exit_code)
        assert before == path.lstat()
        assert (kind == "link") == target.is_socket()

    def test_socket_that_may_not_be_asked_is_left(self, path: Path) -> None:
        """Without the right to connect, nobody can know whether it is stale."""
        killed(path)
        path.chmod(0)
        program = (
            "from echod.transport.sockets.unix import open_unix\n"
            "from echod.wire.local import UnixListener\n"
            "try:\n"
            f"    open_unix(UnixListener(protocol='unix', path={str(path)!r}))\n"
            "except Exception as error:\n"
            "    print(error.exit_code, error)\n"
        )
        words = without("dac_override")
        done = subprocess.run(
            [*words, sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (
            f"{EX_NOPERM} cannot listen on unix:{path}: the socket that is there may "
            "not be asked if it is in use; want the right to write to it, or another "
            "path\n"
        ) == done.stdout + done.stderr
        assert path.is_socket()

    @pytest.mark.parametrize(
        ("number", "exit_code"),
        [(errno.EACCES, EX_NOPERM), (errno.ENOMEM, EX_UNAVAILABLE)],
    )
    def test_doubt_is_no_proof(
        self,
        path: Path,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
        exit_code: int,
    ) -> None:
        """Whatever else the system says, the file stays."""

        class Doubtful(socket.socket):
            def connect(self, address: Any) -> None:
                raise OSError(number, os.strerror(number))

        killed(path)
        monkeypatch.setattr(socket, "socket", Doubtful)
        with pytest.raises(CannotListen) as caught:
            open_unix(listener(path))
        assert exit_code == caught.value.exit_code
        assert path.is_socket()

    @pytest.mark.parametrize("at", ["lstat", "connect"])
    def test_file_that_goes_meanwhile(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, at: str
    ) -> None:
        """A server that ends just now makes room by itself."""
        killed(path)
        lstat = Path.lstat

        class Late(socket.socket):
            def connect(self, address: Any) -> None:
                path.unlink()
                super().connect(address)

        def late(it: Path) -> os.stat_result:
            if it == path and it.exists():
                monkeypatch.undo()
                path.unlink()
            return lstat(it)

        if at == "lstat":
            monkeypatch.setattr(Path, "lstat", late)
        else:
            monkeypatch.setattr(socket, "socket", Late)
        with opened(listener(path)):
            assert path.is_socket()

    @pytest.mark.parametrize("is_stale", [False, True])
    def test_one_of_many_wins(
        self, path: Path, protocol: UnixProtocol, is_stale: bool
    ) -> None:
        """Of those that start at once on one path, one has it and keeps it."""
        count = 8
        for _ in range(25):
            if is_stale:
                killed(path)
            made, refused = at_once(count, listener(path, protocol))
            assert (1, count - 1) == (len(made), len(refused))
            assert {EX_UNAVAILABLE} == {it.exit_code for it in refused}
            (winner,) = made
            with (
                winner.socket,
                socket.socket(socket.AF_UNIX, winner.socket.type) as client,
            ):
                client.connect(str(path))
                winner.remove()
            assert [] == [*path.parent.iterdir()]


def at_once(
    count: int, it: UnixListener
) -> tuple[list[OpenedUnix], list[CannotListen]]:
    """What becomes of several that open the same."""
    made: list[OpenedUnix] = []
    refused: list[CannotListen] = []
    begin = threading.Barrier(count)

    def start() -> None:
        begin.wait(10)
        try:
            made.append(open_unix(it))
        except CannotListen as error:
            refused.append(error)

    threads = [threading.Thread(target=start) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return made, refused


class TestLock:
    """What is between echods alone."""

    def test_stranger_who_holds_the_lock_keeps_nobody_out(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After a while things go on without it."""
        monkeypatch.setattr(unix, "LOCK_TRIES", 2)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            with opened(listener(path)):
                pass
        finally:
            os.close(folder)

    def test_wait_is_bounded(self) -> None:
        """It is a second."""
        assert 1.0 == unix.LOCK_TRIES * unix.LOCK_PAUSE_S

    def test_lock_that_is_awaited(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who has it is waited for."""
        folder = os.open(path.parent, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)
        pauses = []

        def sleep(pause_s: float) -> None:
            pauses.append(pause_s)
            assert not path.exists()
            os.close(folder)

        monkeypatch.setattr(time, "sleep", sleep)
        with opened(listener(path)):
            assert [unix.LOCK_PAUSE_S] == pauses

    def test_file_system_without_locks(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where there are none, things go on without them."""

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuse)
        killed(path)
        with opened(listener(path)):
            pass

    def test_folder_that_may_not_be_read(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The same holds for a folder in which one may make files and not list them."""
        real = os.open

        def refuse(name: Path, flags: int) -> int:
            if flags & os.O_DIRECTORY:
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(name, flags)

        monkeypatch.setattr(os, "open", refuse)
        with opened(listener(path)):
            pass


class TestRefusal:
    """What cannot be opened."""

    def test_folder_is_missing(self, tmp_path: Path, protocol: UnixProtocol) -> None:
        """A folder that is not there is not made."""
        error = refusal(listener(tmp_path / "none" / "echo.sock", protocol))
        assert EX_CANTCREAT == error.exit_code
        assert str(error).endswith(
            "no such file or directory; want a path in a folder that is there"
        )

    def test_folder_is_a_file(self, path: Path) -> None:
        """Nor is a file in its place touched."""
        path.write_text("mine")
        error = refusal(listener(path / "echo.sock"))
        assert EX_CANTCREAT == error.exit_code
        assert "not a directory" in str(error)

    def test_path_is_too_long(self, path: Path) -> None:
        """A path that no socket can have is refused before the system is asked."""
        error = refusal(listener(path.with_name("x" * 108)))
        assert EX_USAGE == error.exit_code
        assert str(error).endswith("want a path of at most 107 bytes")

    @pytest.mark.parametrize(
        ("number", "exit_code"),
        [
            (errno.EACCES, EX_NOPERM),
            (errno.EROFS, EX_CANTCREAT),
            (errno.EAFNOSUPPORT, EX_UNAVAILABLE),
            (errno.EMFILE, EX_OSERR),
        ],
    )
    def test_system_refuses(
        self,
        path: Path,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
        exit_code: int,
    ) -> None:
        """Each refusal of the system has an exit code, and what would be right."""

        class Reluctant(socket.socket):
            def bind(self, address: Any) -> None:
                raise OSError(number, os.strerror(number))

        monkeypatch.setattr(socket, "socket", Reluctant)
        error = refusal(listener(path))
        assert exit_code == error.exit_code
        assert os.strerror(number).lower() in str(error)

    def test_folder_is_not_ours(self, tmp_path: Path) -> None:
        """Who may not make files in a folder is told so."""
        tmp_path.chmod(0o555)
        program = (
            "from echod.transport.sockets.unix import open_unix\n"
            "from echod.wire.local import UnixListener\n"
            "try:\n"
            f"    open_unix(UnixListener(protocol='unix', path='{tmp_path}/e'))\n"
            "except Exception as error:\n"
            "    print(error.exit_code, error)\n"
        )
        done = subprocess.run(
            [*without("dac_override"), sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (
            f"{EX_NOPERM} cannot listen on unix:{tmp_path}/e: permission denied; "
            "want the right to make a socket there\n"
        ) == done.stdout + done.stderr


class TestAbstract:
    """Names without files."""

    def name(self) -> str:
        return f"@echod-test-{os.getpid()}"

    def test_nothing_to_remove(
        self,
        tmp_path: Path,
        protocol: UnixProtocol,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An abstract name is had and given back without a file."""
        monkeypatch.chdir(tmp_path)
        it = UnixListener(protocol=protocol, path=self.name())
        assert it.is_abstract
        for _ in range(2):
            with opened(it) as made:
                assert b"\0" + self.name()[1:].encode() == made.socket.getsockname()
                assert [] == [*tmp_path.iterdir()]
                made.remove()

    def test_longest_name(self, protocol: UnixProtocol) -> None:
        """107 bytes and the @ can be a name."""
        name = f"{self.name()}-".ljust(108, "x")
        with opened(UnixListener(protocol=protocol, path=name)):
            pass

    def test_name_in_use(self, protocol: UnixProtocol) -> None:
        """A name that somebody has is refused."""
        it = UnixListener(protocol=protocol, path=self.name())
        with opened(it):
            assert EX_UNAVAILABLE == refusal(it).exit_code
