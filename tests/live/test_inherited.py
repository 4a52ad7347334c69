"""A real process on sockets that somebody else has opened for it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Self

import pytest

from echod.errors import EX_CONFIG

from ..support.activation import (
    FORMS,
    Activated,
    Sockets,
    activated,
    ask,
    run_activated,
)
from ..support.daemon import BIN, PATIENCE_S, Daemon
from ..support.program import SERVE, TWISTD, assert_told, environment, run, running_in

RESTARTS = 20

# A client that connects all the time leaves a port in TIME-WAIT each time.
PAUSE_S = 0.002

both_faces = pytest.mark.parametrize("face", [TWISTD, SERVE], ids=["twistd", "serve"])


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Sockets]:
    with Sockets(tmp_path) as sockets:
        yield sockets


def listening(*descriptions: str) -> list[str]:
    """The options of a process that listens on these."""
    options = [word for it in descriptions for word in ("--listen", it)]
    return [*options, *(("--transport", it) if (it := Daemon.transport) else ())]


@both_faces
@pytest.mark.usefixtures("transport")
class TestSixKinds:
    """TCP, UDP and UNIX, streams and datagrams, from a launcher."""

    def test_one_name(
        self, face: tuple[str, ...], opened: Sockets, tmp_path: Path
    ) -> None:
        """One listener serves all sockets of its name, and logs where each one is."""
        given = {form: opened.open(form) for form in FORMS}
        command = [*face, *listening("systemd:name=echod")]
        names = ["echod"] * len(given)
        with Activated(tmp_path, command, [*given.values()], names) as running:
            for form, it in given.items():
                message = form.encode() * 200
                assert message == ask(form, it.getsockname(), message)
            port = given["udp6"].getsockname()[1]
            at = rf"systemd:name=echod (udp:{port}:interface=\:\:1)"
            running.wait_for(lambda log: f"Listening on {at}" in log)
            assert 6 == running.log.count("Listening on systemd:name=echod (")

    def test_told_apart(
        self, face: tuple[str, ...], opened: Sockets, tmp_path: Path
    ) -> None:
        """What is not meant is left alone, and is there for the next one."""
        given = {form: opened.open(form) for form in FORMS}
        command = [
            *face,
            *listening(
                "systemd:name=echod:type=stream:domain=INET",
                "systemd:index=4",
                "systemd:UNIX:name=echod:type=datagram",
            ),
        ]
        names = ["echod"] * len(given)
        with Activated(tmp_path, command, [*given.values()], names) as running:
            for form in ("tcp4", "udp6", "unixgram"):
                assert b"ping" == ask(form, given[form].getsockname())
            assert 3 == running.log.count("Listening on systemd:")
        for form in ("tcp6", "udp4"):
            given[form].setblocking(False)
            with pytest.raises(BlockingIOError):
                given[form].accept() if form == "tcp6" else given[form].recv(1)

    def test_no_names(
        self, face: tuple[str, ...], opened: Sockets, tmp_path: Path
    ) -> None:
        """Without names, indexes do."""
        given = {form: opened.open(form) for form in FORMS}
        indexes = [f"systemd:index={it}" for it in range(len(given))]
        command = [*face, *listening(*indexes)]
        with Activated(tmp_path, command, [*given.values()]):
            for form, it in given.items():
                assert b"ping" == ask(form, it.getsockname())


@both_faces
class TestRefused:
    """What cannot be, in one line and before anything is served."""

    def test_nothing_inherited(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """By hand there is nothing to inherit."""
        ended = run(*face, *listening("systemd:name=echod"), folder=tmp_path)
        assert_told(
            ended,
            EX_CONFIG,
            "cannot listen on systemd:name=echod: no socket was inherited; want",
        )

    def test_other_names(
        self, face: tuple[str, ...], opened: Sockets, tmp_path: Path
    ) -> None:
        """A name that is not there is told with those that are."""
        given = [opened.open("tcp4"), opened.open("udp4")]
        command = [*face, *listening("systemd:name=echod")]
        ended = run_activated(command, given, ["echo-tcp", "echo-udp"], tmp_path)
        assert_told(ended, EX_CONFIG, "want echo-tcp or echo-udp")

    def test_wrong_type(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """Standard output instead of a socket is told as what it is."""
        with (tmp_path / "file").open("w") as file:
            command = [*face, *listening("systemd:index=0")]
            ended = run_activated(command, [file], ["echod"], tmp_path)
        assert_told(ended, EX_CONFIG, "descriptor 3 is a file; want a socket")

    def test_connection(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """A unit with Accept=yes starts one service a connection: not this one."""
        given, peer = socket.socketpair()
        with given, peer:
            command = [*face, *listening("systemd:name=connection")]
            ended = run_activated(command, [given], ["connection"], tmp_path)
        assert_told(ended, EX_CONFIG, "descriptor 3 is a connection", "Accept=no")

    def test_half_of_them(
        self, face: tuple[str, ...], opened: Sockets, tmp_path: Path
    ) -> None:
        """One listener that cannot be had refuses the start."""
        command = [*face, *listening("systemd:name=a", "systemd:name=b")]
        given = [opened.open("tcp4")]
        ended = run_activated(command, given, ["a"], tmp_path)
        assert_told(ended, EX_CONFIG, "cannot listen on systemd:name=b")
        assert b"Listening on" not in ended.stdout

    def test_taken_twice(
        self, face: tuple[str, ...], opened: Sockets, tmp_path: Path
    ) -> None:
        """A socket has one listener."""
        command = [*face, *listening("systemd:name=a", "systemd:index=0")]
        given = [opened.open("tcp4")]
        ended = run_activated(command, given, ["a"], tmp_path)
        assert_told(ended, EX_CONFIG, "descriptor 3 is taken by systemd:name=a")


def test_daemon(opened: Sockets, tmp_path: Path) -> None:
    """Without -n, twistd's child goes on with the sockets that were its parent's."""
    given = {form: opened.open(form) for form in FORMS}
    files = ["--pidfile", "echod.pid", "--logfile", "echod.log"]
    options = listening("systemd:name=echod", "systemd:index=0")[:2]
    command = [str(BIN / "twistd"), *files, "echod", *options]
    try:
        ended = run_activated(command, [*given.values()], ["echod"] * 6, tmp_path)
        assert (0, b"", "") == ended[:3]
        for form, it in given.items():
            assert b"ping" == ask(form, it.getsockname())
    finally:
        for pid in running_in(tmp_path):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_S
    while [*running_in(tmp_path)]:
        assert time.monotonic() < deadline, "the daemon does not end"
        time.sleep(0.01)


# Serves, stops, serves again; then twice at once.
_EMBEDDED = """
import sys
from twisted.internet import defer, reactor, task
from echod import Settings, make_service

def services(count):
    return [make_service(Settings(listen=("systemd:name=echod",)), reactor)
            for _ in range(count)]

async def serve(services):
    for it in services:
        it.startService()
    print("serving", *[len(it.ports) for it in services], flush=True)
    await defer.Deferred.fromCoroutine(until_told())
    for it in services:
        await it.stopService()
    print("stopped", flush=True)

async def until_told():
    from twisted.internet.threads import deferToThread
    await deferToThread(sys.stdin.readline)

@task.react
async def main(reactor):
    first = services(1)
    await serve(first)
    await serve(first)
    await serve(services(2))
"""


def test_embedded(opened: Sockets, tmp_path: Path) -> None:
    """
    A program of one's own may start, stop and start a service on its sockets, and two
    services may share them; a connect between two of them waits for the next.
    """
    given = {form: opened.open(form) for form in FORMS}
    words = [sys.executable, "-c", _EMBEDDED]
    command, fds = activated(words, [*given.values()], ["echod"] * 6)
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=fds,
    ) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for serving in (b"serving 6\n", b"serving 6\n", b"serving 6 6\n"):
            assert serving == running.stdout.readline()
            for form, it in given.items():
                assert b"ping" == ask(form, it.getsockname())
            running.stdin.write(b"\n")
            running.stdin.flush()
            assert b"stopped\n" == running.stdout.readline()
        assert 0 == running.wait(PATIENCE_S)


class Connecting:
    """
    Clients that connect over and over, each to a server of its own; a context manager.

    Attributes:
        answers: what came back for each connection.
        refused: the errors of those connects that failed.
    """

    def __init__(self, servers: dict[str, socket.socket]) -> None:
        self.answers: list[bytes] = []
        self.refused: list[OSError] = []
        self._has_ended = Event()
        self._threads = [
            Thread(target=self._connect, args=(form, it.getsockname()))
            for form, it in servers.items()
        ]

    def __enter__(self) -> Self:
        for it in self._threads:
            it.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """Connect no more; again does nothing. Waits for the last answers."""
        self._has_ended.set()
        for it in self._threads:
            it.join()

    def _connect(self, form: str, address: str) -> None:
        while not self._has_ended.wait(PAUSE_S):
            with socket.socket(*FORMS[form]) as client:
                client.settimeout(PATIENCE_S)
                try:
                    client.connect(address)
                except OSError as error:
                    self.refused.append(error)
                else:
                    self.answers.append(self._talk(client))

    def _talk(self, client: socket.socket) -> bytes:
        try:
            client.sendall(b"ping")
            return client.recv(4)
        except OSError:
            return b""


def test_restarts_refuse_nobody(opened: Sockets, tmp_path: Path) -> None:
    """Whoever connects while the service is started anew waits, and is served."""
    given = {form: opened.open(form) for form in ("tcp4", "tcp6", "unix")}
    command = [*SERVE, *listening("systemd:name=echod")]
    names = ["echod"] * len(given)
    with Connecting(given) as clients:
        for _ in range(RESTARTS):
            answered = len(clients.answers)
            with Activated(tmp_path, command, [*given.values()], names) as running:
                running.wait_for(
                    lambda _: len(clients.answers) > answered + 10  # noqa: B023
                )
        with Activated(tmp_path, command, [*given.values()], names):
            clients.end()
    assert [] == clients.refused
    # A connection that has been made may end with the service, before its answer.
    broken = [it for it in clients.answers if it != b"ping"]
    assert len(broken) <= len(given) * RESTARTS
    assert len(clients.answers) - len(broken) > 5 * RESTARTS


def free_port(kind: socket.SocketKind) -> int:
    """A port of loopback that nothing has just now."""
    with socket.socket(socket.AF_INET6, kind) as tried:
        tried.bind(("::", 0))
        port: int = tried.getsockname()[1]
        return port


@pytest.mark.peer("systemd-socket-activate")
class TestSocketActivate:
    """systemd's own launcher, which runs echod when the first bytes come."""

    @both_faces
    @pytest.mark.parametrize("form", FORMS)
    def test_form(self, form: str, face: tuple[str, ...], tmp_path: Path) -> None:
        """Each kind of socket is served, from its first connection or datagram on."""
        family, kind = FORMS[form]
        where, address = self._place(family, kind, tmp_path)
        is_datagram = kind == socket.SOCK_DGRAM
        command = [
            "systemd-socket-activate",
            *(["--datagram"] if is_datagram else []),
            f"--listen={where}",
            "--fdname=echod",
            *face,
            *listening("systemd:name=echod"),
        ]
        with Activated(tmp_path, command) as running:
            running.wait_for(lambda log: f"Listening on {where} as 3" in log)
            for message in (b"first", b"second"):
                assert message == ask(form, address, message)
            assert "Execing" in running.log
            assert "Listening on systemd:name=echod (" in running.log

    @both_faces
    def test_several(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """Several sockets have names of their own; without names, indexes."""
        for options, descriptions in (
            (["--fdname=a:b"], ["systemd:name=b"]),
            ([], ["systemd:index=1"]),
        ):
            paths = [str(tmp_path / f"{len(options)}{it}") for it in "ab"]
            command = [
                "systemd-socket-activate",
                *(f"--listen={it}" for it in paths),
                *options,
                *face,
                *listening(*descriptions),
            ]
            with Activated(tmp_path, command) as running:
                running.wait_for(lambda log: f"{paths[1]} as 4" in log)  # noqa: B023
                assert b"ping" == ask("unix", paths[1])
                assert 1 == running.log.count("Listening on systemd:")

    def test_both_families_in_one(self, tmp_path: Path) -> None:
        """
        A port without an address (ListenStream=65432) is one socket for both families;
        IPv4 addresses are logged as such.
        """
        port = free_port(socket.SOCK_STREAM)
        command = ["systemd-socket-activate", f"--listen={port}", "--fdname=echod"]
        command += [*SERVE, *listening("systemd:domain=INET6:name=echod")]
        with Activated(tmp_path, command) as running:
            running.wait_for(lambda log: " as 3" in log)
            assert b"ping" == ask("tcp4", ("127.0.0.1", port))
            assert b"ping" == ask("tcp6", ("::1", port))
            running.wait_for(lambda log: 2 == log.count("Connected by"))
            assert re.search(r"Connected by \('127\.0\.0\.1', ", running.log)
            assert "ffff" not in running.log

    @staticmethod
    def _place(
        family: socket.AddressFamily, kind: socket.SocketKind, folder: Path
    ) -> tuple[str, object]:
        """A place to listen, for the command and for the client."""
        if family == socket.AF_UNIX:
            return str(folder / "socket"), str(folder / "socket")
        port = free_port(kind)
        if family == socket.AF_INET6:
            return f"[::1]:{port}", ("::1", port)
        return f"127.0.0.1:{port}", ("127.0.0.1", port)
