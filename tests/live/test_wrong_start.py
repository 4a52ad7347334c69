"""Starts that cannot be, of a real process."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from echod.errors import (
    EX_CANTCREAT,
    EX_CONFIG,
    EX_NOPERM,
    EX_UNAVAILABLE,
    EX_USAGE,
)

from ..support.program import SERVE, TWISTD, Ended, assert_told, run, without

# RFC 862's own, and one of those that Linux keeps for root.
PRIVILEGED_PORT = 7

# The permission bits of a folder that may be entered and listed only.
READ_ONLY = 0o555

KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
OTHER = {"tcp": "udp", "udp": "tcp"}

both_faces = pytest.mark.parametrize("face", [TWISTD, SERVE], ids=["twistd", "serve"])


def kernel_number(name: str) -> int:
    return int(Path("/proc/sys/net/ipv4", name).read_text())


def assert_refused(ended: Ended, exit_code: int, *words: str) -> None:
    """The process has told why in one line, and has listened on nothing."""
    assert_told(ended, exit_code, *words)
    assert "Traceback" not in ended.stdout.decode()
    assert "Listening on" not in ended.stdout.decode()


def is_free(protocol: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, KINDS[protocol]) as opened:
        try:
            opened.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def taken(protocol: str) -> Iterator[int]:
    """A port that is in use over ``protocol``, and free over the other one."""
    for _ in range(10):
        with socket.socket(socket.AF_INET, KINDS[protocol]) as opened:
            opened.bind(("127.0.0.1", 0))
            if protocol == "tcp":
                opened.listen()
            port: int = opened.getsockname()[1]
            if is_free(OTHER[protocol], port):
                yield port
                return
    pytest.fail("no port is free over the other protocol")


class TestListeners:
    """What cannot be listened on."""

    @both_faces
    @pytest.mark.parametrize("protocol", KINDS)
    def test_port_in_use(
        self, protocol: str, face: tuple[str, ...], tmp_path: Path
    ) -> None:
        """One port in use refuses the start, and the other one is let go again."""
        with taken(protocol) as port:
            ended = run(*face, "--port", str(port), folder=tmp_path)
            assert_refused(
                ended,
                EX_UNAVAILABLE,
                f"{protocol}:{port}:interface=127.0.0.1",
                "address already in use",
                "want a port that nothing else listens on",
            )
            assert is_free(OTHER[protocol], port)

    @both_faces
    def test_service_that_is_none(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """A port may be the name of a service, which must be there."""
        ended = run(*face, "--port", "no-such-service", folder=tmp_path)
        assert_refused(
            ended,
            EX_CONFIG,
            "tcp:no-such-service:interface=127.0.0.1",
            "port no-such-service is no tcp service of this host",
            "want a number, or a name that services(5) has",
        )

    @pytest.mark.parametrize("domain", ["AF_X25", "PF_X25", "AF_INET"])
    def test_domain_that_is_none(self, domain: str, tmp_path: Path) -> None:
        """A domain that is not served is told in one line, with those that are."""
        ended = run(*TWISTD, "--listen", f"{domain}:1", folder=tmp_path)
        words = (f"--listen is {domain}:1", "tcp or udp (AF_INET, AF_INET6)", "AF_UNIX")
        assert_refused(ended, EX_USAGE, *words)

    @pytest.mark.parametrize("path", ["none/echo.sock", "none/e\nc\nho.sock"])
    def test_listener_that_fails_takes_the_others_along(
        self, path: str, tmp_path: Path
    ) -> None:
        """Where one listener cannot be opened, the others are let go."""
        with taken("udp") as port:
            tcp = f"tcp:{port}:interface=127.0.0.1"
            listen = ("--listen", tcp, "--listen", f"unix:{path}")
            ended = run(*TWISTD, *listen, folder=tmp_path)
            assert is_free("tcp", port)
        place = repr(f"unix:{path}")[1:-1]
        words = (place, "no such file or directory", "want a path in a folder")
        assert_refused(ended, EX_CANTCREAT, *words)

    @both_faces
    def test_unknown_host(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """A host without an address cannot be listened on."""
        options = ("--host", "no.such.host.invalid", "--port", "0")
        ended = run(*face, *options, folder=tmp_path)
        assert_refused(
            ended,
            EX_UNAVAILABLE,
            "host no.such.host.invalid does not resolve",
            "want a name or address of this host",
        )

    @pytest.mark.skipif(
        kernel_number("ip_nonlocal_bind") != 0, reason="binds to foreign addresses"
    )
    def test_foreign_address(self, tmp_path: Path) -> None:
        """An address of another host cannot be listened on."""
        options = ("--host", "192.0.2.1", "--port", "0")
        ended = run(*TWISTD, *options, folder=tmp_path)
        wanted = "want an address of this host"
        assert_refused(ended, EX_UNAVAILABLE, "interface=192.0.2.1", wanted)

    @pytest.mark.peer("setpriv")
    @pytest.mark.skipif(
        kernel_number("ip_unprivileged_port_start") <= PRIVILEGED_PORT,
        reason=f"port {PRIVILEGED_PORT} is open to everybody here",
    )
    @both_faces
    def test_privileged_port(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """A low port needs a right, and that is what its absence is called."""
        command = (*without("net_bind_service"), *face)
        ended = run(*command, "--port", str(PRIVILEGED_PORT), folder=tmp_path)
        assert_refused(
            ended,
            EX_NOPERM,
            f"tcp:{PRIVILEGED_PORT}:interface=127.0.0.1",
            "permission denied",
            "want a port above 1023, or the right to bind this one",
        )


IN_BOTH_FACES = {
    "port too high": (["--port", "70000"], ["--port is 70000", "0 to 65535"]),
    "port no number": (["--port", "x!"], ["--port is x!", "0 to 65535"]),
    "unknown option": (["--prat=tcp"], ["--prat", "see --help"]),
    "surplus argument": (["more"], ["argument more", "want options only"]),
    "two ways": (
        ["--listen", "tcp:0", "--port", "0"],
        ["--listen replaces", "--port is there as well", "want one of the two ways"],
    ),
}

IN_ONE_FACE = {
    "port negative": (["--port", "-1"], ["--port is -1", "0 to 65535"]),
    "port empty": (["--port", ""], ["--port is ''", "0 to 65535"]),
    "port missing": (["--port"], ["--port", "requires argument", "see --help"]),
    "host no text": ([b"--host=\xff"], [r"--host is '\udcff'", "want a host name"]),
    "listener without port": (["--listen", "tcp"], ["--listen is tcp", "tcp:PORT"]),
    "listener's port": (
        ["--listen", "udp:70000"],
        ["--listen udp:70000: port is 70000", "0 to 65535"],
    ),
    "listener cut short": (
        ["--listen", "tcp:0:interface=\\"],
        ["--listen is tcp:0:interface=\\", "want a character after the last"],
    ),
    "listener's keyword": (
        ["--listen", "tcp:0:interfaces=::1"],
        ["--listen is tcp:0:interfaces=::1", "tcp:PORT:interface=...:backlog=..."],
    ),
    "option of two lines": (["--a\nb\nc"], [r"a\nb\nc", "see --help"]),
    "listener of two lines": (["--listen", "tcp:x\ny\nz"], [r"tcp:x\ny\nz"]),
}


class TestCommandLine:
    """Wrong usage."""

    @both_faces
    @pytest.mark.parametrize(
        ("options", "words"), IN_BOTH_FACES.values(), ids=IN_BOTH_FACES
    )
    def test_wrong_usage(
        self,
        options: list[str],
        words: list[str],
        face: tuple[str, ...],
        tmp_path: Path,
    ) -> None:
        """Both faces refuse a wrong command line in the same words."""
        assert_refused(run(*face, *options, folder=tmp_path), EX_USAGE, *words)

    @pytest.mark.parametrize(
        ("options", "words"), IN_ONE_FACE.values(), ids=IN_ONE_FACE
    )
    def test_wrong_value(
        self, options: list[str | bytes], words: list[str], tmp_path: Path
    ) -> None:
        """A wrong value is told with its option, and with what is wanted."""
        assert_refused(run(*TWISTD, *options, folder=tmp_path), EX_USAGE, *words)

    @pytest.mark.parametrize("listen", ["nosuch:1", "nosuch:1\n2\n3", "haproxy:"])
    def test_description_that_means_nothing(self, listen: str, tmp_path: Path) -> None:
        """What Twisted makes of a description is told in one line of configuration."""
        ended = run(*TWISTD, "--listen", listen, folder=tmp_path)
        place = repr(listen)[1:-1]
        wanted = "want one of Twisted's server endpoints"
        assert_refused(ended, EX_CONFIG, "listen ", place, wanted)

    def test_full_stderr_keeps_the_exit_code(self, tmp_path: Path) -> None:
        """A message that nobody can take does not change how the process ends."""
        with Path("/dev/full").open("wb") as full:
            ended = run(*TWISTD, "--port", "x!", folder=tmp_path, stderr=full)
        assert EX_USAGE == ended.exit_code


MALFORMED = {
    "no value": b"port =\n",
    "no equals sign": b"port 1\n",
    "open quote": b'host = "::1\n',
    "key given twice": b"port = 1\nport = 2\n",
    "not UTF-8": b'host = "\xff"\n',
    "NUL": b"port = 1\0\n",
    "nested too deep": b"listen = " + b"[" * 5000,
}

WRONG_IN_FILE = {
    "near name": (b"prot = 1\n", ["no setting prot", "want port"]),
    "no near name": (b"x = 1\n", ["no setting x", "want host, port, protocols"]),
    "fraction": (b"port = 1.5\n", ["port is 1.5", "0 to 65535"]),
    "huge number": (
        b"port = 0x1" + b"0" * 4000 + b"\n",
        [": port is ", "0 to 65535"],
    ),
    "number for text": (b"host = 5.5\n", ["host is 5.5", "want a host name"]),
    "number for list": (b"listen = 5\n", ["listen is 5", "want a list"]),
    "table for list": (
        b'protocols = {tcp = "yes"}\n',
        [": protocols is ", "want a choice of tcp, udp"],
    ),
    "table for listeners": (
        b'listen = {"tcp:0" = 1}\n',
        [": listen is ", "want a list of descriptions"],
    ),
    "number in list": (b"listen = [5]\n", ["listen is 5", "want a description"]),
    "two ways": (
        b'listen = ["tcp:0"]\nport = 1\n',
        ["echod.toml: listen replaces", "echod.toml: port is there as well"],
    ),
}

IN_BOTH_FACES_OF_FILE = ["near name", "number for text"]


def run_with_file(face: tuple[str, ...], content: bytes, folder: Path) -> Ended:
    (folder / "echod.toml").write_bytes(content)
    return run(*face, "--config", "echod.toml", folder=folder)


class TestFile:
    """Wrong configuration files."""

    @both_faces
    def test_missing_file(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """A file that is asked for must be there."""
        ended = run(*face, "--config", "none.toml", folder=tmp_path)
        words = ("none.toml: no such file", "want a configuration file that can")
        assert_refused(ended, EX_CONFIG, *words)

    def test_missing_file_of_the_environment(self, tmp_path: Path) -> None:
        """It makes no difference that the environment asks for the file."""
        variables = {"ECHOD_CONFIG": "none.toml"}
        ended = run(*TWISTD, folder=tmp_path, variables=variables)
        assert_refused(ended, EX_CONFIG, "none.toml: no such file")

    def test_folder_for_file(self, tmp_path: Path) -> None:
        """A folder is no file to read."""
        ended = run(*TWISTD, "--config", str(tmp_path), folder=tmp_path)
        assert_refused(ended, EX_CONFIG, f"{tmp_path}: is a directory")

    @pytest.mark.peer("setpriv")
    def test_file_of_somebody_else(self, tmp_path: Path) -> None:
        """A file without the right to read it is told from a missing one."""
        path = tmp_path / "echod.toml"
        path.touch(0o000)
        command = (*without("dac_override", "dac_read_search"), *TWISTD)
        ended = run(*command, "--config", path.name, folder=tmp_path)
        assert_refused(ended, EX_CONFIG, "echod.toml: permission denied")

    @pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
    def test_malformed_file(self, content: bytes, tmp_path: Path) -> None:
        """A file that is no TOML is told by its name."""
        ended = run_with_file(TWISTD, content, tmp_path)
        assert_refused(ended, EX_CONFIG, "echod.toml: ", "want TOML in UTF-8")

    def test_malformed_line_is_told(self, tmp_path: Path) -> None:
        """The message names the line that is no TOML, as the parser has it."""
        ended = run_with_file(SERVE, b"# a comment\nport = \n", tmp_path)
        assert_refused(ended, EX_CONFIG, "echod.toml: ", "line 2", "want TOML")

    @pytest.mark.parametrize(
        ("content", "words"), WRONG_IN_FILE.values(), ids=WRONG_IN_FILE
    )
    def test_wrong_file(self, content: bytes, words: list[str], tmp_path: Path) -> None:
        """A key or a value that cannot be is told with the file's name."""
        ended = run_with_file(TWISTD, content, tmp_path)
        assert_refused(ended, EX_CONFIG, "echod.toml: ", *words)

    @pytest.mark.parametrize("name", IN_BOTH_FACES_OF_FILE)
    def test_wrong_file_of_serve(self, name: str, tmp_path: Path) -> None:
        """The other face reads the same file with the same eyes."""
        content, words = WRONG_IN_FILE[name]
        ended = run_with_file(SERVE, content, tmp_path)
        assert_refused(ended, EX_CONFIG, "echod.toml: ", *words)


class TestEnvironment:
    """Wrong variables."""

    @both_faces
    def test_wrong_value(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """A wrong value is told with the name of its variable."""
        ended = run(*face, folder=tmp_path, variables={"ECHOD_PORT": "x!"})
        assert_refused(ended, EX_CONFIG, "ECHOD_PORT is x!", "0 to 65535")

    @both_faces
    def test_unknown_variable(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """A variable that looks like echod's, and is not, is a mistake."""
        ended = run(*face, folder=tmp_path, variables={"ECHOD_PROT": "1"})
        assert_refused(ended, EX_CONFIG, "no setting ECHOD_PROT", "ECHOD_PORT")

    def test_two_ways(self, tmp_path: Path) -> None:
        """The environment cannot have both ways to say what to listen on."""
        variables = {"ECHOD_LISTEN": "tcp:0", "ECHOD_PORT": "0"}
        ended = run(*TWISTD, folder=tmp_path, variables=variables)
        words = ("ECHOD_LISTEN replaces", "ECHOD_PORT is there as well")
        assert_refused(ended, EX_CONFIG, *words)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing can be made, unless by root with all its rights."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(READ_ONLY)
    yield folder
    folder.chmod(0o755)


# Nobody makes a file in /proc, though root has the right to try.
PROC = Path("/proc")


class TestPlaces:
    """Where twistd should write or run. Each is twistd's option, not echod's."""

    TWISTD = TWISTD[:2]
    ECHOD = ("echod", "--port", "0")

    def run(self, *options: str, folder: Path, rights: tuple[str, ...] = ()) -> Ended:
        return run(*rights, *self.TWISTD, *options, *self.ECHOD, folder=folder)

    @pytest.mark.peer("setpriv")
    @pytest.mark.parametrize("option", ["pidfile", "logfile"])
    def test_locked_folder(self, option: str, locked: Path, tmp_path: Path) -> None:
        """A folder without the right to write into it takes neither file."""
        place = f"--{option}={locked / 'file'}"
        others = ["--pidfile="] if option == "logfile" else []
        rights = without("dac_override", "dac_read_search")
        ended = self.run(*others, place, folder=tmp_path, rights=rights)
        words = (f"--{option} {locked / 'file'}", "no right", "want another place")
        assert_refused(ended, EX_NOPERM, *words)

    @pytest.mark.peer("setpriv")
    def test_locked_working_directory(self, locked: Path) -> None:
        """Without a word about the pid file it goes to where twistd is started."""
        rights = without("dac_override", "dac_read_search")
        ended = self.run(folder=locked, rights=rights)
        words = ("--pidfile", "twistd.pid", str(locked), "--pidfile= for no file")
        assert_refused(ended, EX_NOPERM, *words)

    @pytest.mark.peer("setpriv")
    def test_pid_file_of_somebody_else(self, tmp_path: Path) -> None:
        """A pid file that is there must be readable: twistd asks who it was."""
        path = tmp_path / "echod.pid"
        path.touch(0o000)
        rights = without("dac_override", "dac_read_search")
        ended = self.run(f"--pidfile={path}", folder=tmp_path, rights=rights)
        assert_refused(ended, EX_NOPERM, f"--pidfile {path}", "want another place")

    @pytest.mark.parametrize("option", ["pidfile", "logfile"])
    def test_missing_folder(self, option: str, tmp_path: Path) -> None:
        """A file in a folder that is not there cannot be made."""
        path = tmp_path / "none" / "file"
        others = ["--pidfile="] if option == "logfile" else []
        ended = self.run(*others, f"--{option}={path}", folder=tmp_path)
        words = (f"--{option} {path}", f"no folder {path.parent}", "want another place")
        assert_refused(ended, EX_CANTCREAT, *words)

    @pytest.mark.parametrize("option", ["pidfile", "logfile"])
    def test_folder_for_file(self, option: str, tmp_path: Path) -> None:
        """A folder is no file to write."""
        others = ["--pidfile="] if option == "logfile" else []
        ended = self.run(*others, f"--{option}={tmp_path}", folder=tmp_path)
        words = (f"--{option} {tmp_path}", "cannot be written", "want another place")
        assert_refused(ended, EX_NOPERM, *words)

    @pytest.mark.parametrize("option", ["pidfile", "logfile"])
    def test_folder_that_takes_no_files(self, option: str, tmp_path: Path) -> None:
        """Where the rights say yes and the system says no, the system is right."""
        path = PROC / "echod.file"
        others = ["--pidfile="] if option == "logfile" else []
        ended = self.run(*others, f"--{option}={path}", folder=tmp_path)
        # As root the file cannot be made; anybody else has not even the right.
        assert ended.exit_code in (EX_CANTCREAT, EX_NOPERM)
        words = (f"--{option} {path}", "want another place")
        assert_refused(ended, ended.exit_code, *words)

    @pytest.mark.parametrize("option", ["rundir", "chroot"])
    def test_missing_folder_to_run_in(self, option: str, tmp_path: Path) -> None:
        """A folder to run in must be there; no pid file would be the wrong advice."""
        path = tmp_path / "none"
        ended = self.run("--pidfile=", f"--{option}={path}", folder=tmp_path)
        words = (f"--{option}", f"no folder {path}", "want another place")
        assert_refused(ended, EX_CANTCREAT, *words)
        assert "--pidfile" not in ended.stderr

    def test_failure_leaves_no_pid_file(self, tmp_path: Path) -> None:
        """A start that fails after the pid file was written takes it away again."""
        options = ("--pidfile=echod.pid", "echod", "--port")
        with taken("tcp") as port:
            ended = run(*self.TWISTD, *options, str(port), folder=tmp_path)
        assert_refused(ended, EX_UNAVAILABLE, f"tcp:{port}")
        assert [] == list(tmp_path.iterdir())

    def test_wrong_usage_leaves_no_pid_file(self, tmp_path: Path) -> None:
        """A start that fails before anything is written leaves nothing behind."""
        options = ("--pidfile=echod.pid", "echod", "--port", "x!")
        ended = run(*self.TWISTD, *options, folder=tmp_path)
        assert_refused(ended, EX_USAGE, "--port is x!")
        assert [] == list(tmp_path.iterdir())


def test_refusal_is_logged(tmp_path: Path) -> None:
    """The log says in the same words why there is no service."""
    with taken("tcp") as port:
        ended = run(*TWISTD, "--port", str(port), folder=tmp_path)
    message = ended.stderr.removeprefix("echod: ")
    assert f"critical] {message}" in ended.stdout.decode()
