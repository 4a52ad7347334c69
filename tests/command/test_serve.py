"""The service as a process: ``echod serve``, and the answers of both its faces."""

import signal
import socket
import tomllib
from pathlib import Path
from typing import Any

import pytest

import echod
from echod.errors import EX_CONFIG, EX_IOERR, EX_UNAVAILABLE, EX_USAGE
from echod.settings import knobs

from ..support.asker import datagram_answer_on
from ..support.certificate import certificate_pem
from ..support.connection import half_closed_answer_on
from ..support.daemon import Daemon
from ..support.program import SERVE, TWISTD, Ended, assert_told, run

both_faces = pytest.mark.parametrize("face", [TWISTD, SERVE], ids=["twistd", "serve"])


def assert_answered(ended: Ended) -> str:
    """The process has answered and ended well; the answer."""
    assert (0, "") == (ended.exit_code, ended.stderr), ended
    return ended.stdout.decode()


def printed(*arguments: str, folder: Path, **variables: str) -> dict[str, Any]:
    """What ``--print-config`` says, read as the file that it is."""
    options = ("--print-config", *arguments)
    ended = run(*SERVE, *options, folder=folder, variables=variables)
    return tomllib.loads(assert_answered(ended))


class TestService:
    """The service in the foreground."""

    def test_echo(self, tmp_path: Path) -> None:
        """It says where it listens, and what is sent there comes back."""
        with Daemon(tmp_path, command=SERVE) as running:
            for protocol, port in running.ports.items():
                assert f"Listening on {protocol}:{port}:" in running.log
            assert b"Hello" == half_closed_answer_on(running.ports["tcp"], b"Hello")
            assert b"Hello" == datagram_answer_on(running.ports["udp"], b"Hello")

    @pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
    def test_signal_ends_it(self, by: signal.Signals, tmp_path: Path) -> None:
        """A signal stops the service in order, and no file is left where it ran."""
        with Daemon(tmp_path, command=SERVE) as running:
            assert -by == running.stop(by)
            assert "Stopped after 0 connections" in running.log
            assert "Traceback" not in running.log
        # The log is the test's own.
        assert ["echod.log"] == [it.name for it in tmp_path.iterdir()]


class TestQuestions:
    """Options that ask."""

    @both_faces
    def test_help(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """Help names every option, and the layers from which settings come."""
        answer = assert_answered(run(*face, "--help", folder=tmp_path))
        for knob in knobs():
            is_there = f"--{knob.name.replace('_', '-')} " in answer.replace("=", " ")
            assert is_there == (not knob.metadata["in_file_only"]), knob.name
        for word in ("--config", "--check-config", "--print-config", "ECHOD_PORT"):
            assert word in answer

    @pytest.mark.parametrize(
        "words",
        [
            ("--help",),
            ("--version",),
            ("send", "--help"),
            ("serve", "--help"),
            ("serve", "--version"),
            ("serve", "--print-config"),
            ("serve", "--check-config"),
        ],
    )
    def test_full_stdout(self, words: tuple[str, ...], tmp_path: Path) -> None:
        """An answer that cannot be written is told in one line."""
        with Path("/dev/full").open("wb") as stdout:
            ended = run(SERVE[0], *words, folder=tmp_path, stdout=stdout)
        assert_told(ended, EX_IOERR, "standard output: no space left on device; want ")

    def test_help_names_the_command(self, tmp_path: Path) -> None:
        """Help of ``echod serve`` shows what was typed, not what runs it."""
        answer = assert_answered(run(*SERVE, "--help", folder=tmp_path))
        assert answer.startswith("Usage: echod serve [options]\n")

    @both_faces
    def test_version(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """The version is echod's own, not Twisted's."""
        answer = assert_answered(run(*face, "--version", folder=tmp_path))
        assert answer.startswith(f"echod {echod.__version__} (")


class TestCheckConfig:
    """``--check-config``."""

    @both_faces
    def test_binds_nothing(self, face: tuple[str, ...], tmp_path: Path) -> None:
        """A port in use is no matter, because nothing is bound."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            options = ("--check-config", "--port", str(port))
            answer = assert_answered(run(*face, *options, folder=tmp_path))
        assert (
            f"tcp:{port}:interface=127.0.0.1 is tcp 127.0.0.1 port {port}\n"
            f"udp:{port}:interface=127.0.0.1 is udp 127.0.0.1 port {port}\n"
        ) == answer

    def test_resolves_names(self, tmp_path: Path) -> None:
        """A name is looked up, and its address shown."""
        options = ("--check-config", "--listen", "tcp:7:interface=localhost")
        answer = assert_answered(run(*SERVE, *options, folder=tmp_path))
        address = socket.gethostbyname("localhost")
        assert f"tcp:7:interface=localhost is tcp {address} port 7\n" == answer

    def test_leaves_endpoints_alone(self, tmp_path: Path) -> None:
        """An endpoint of Twisted's is made, and not opened."""
        options = ("--check-config", "--listen", "haproxy:tcp:0")
        answer = assert_answered(run(*SERVE, *options, folder=tmp_path))
        assert "haproxy:tcp:0 is opened by Twisted\n" == answer

    def test_tells_terms(self, tmp_path: Path) -> None:
        """Each listener is told with what it means here, and with its terms."""
        pem = tmp_path / "echod.pem"
        pem.write_bytes(certificate_pem())
        (tmp_path / "echod.toml").write_text(
            f"[[listener]]\nlisten = 'ssl:7:privateKey={pem}:interface=127.1'\n"
            "proxy_protocol = true\n"
            "[[listener]]\nlisten = ['unix:echo.sock', 'unixgram:@echo']\n"
            "[[listener]]\nport = '7,9-10'\nhost = ''\nprotocols = 'udp'\n"
        )
        options = ("--config", "echod.toml")
        serve = run(*SERVE, "--check-config", *options, folder=tmp_path)
        check = run(SERVE[0], "check-config", *options, folder=tmp_path)
        answer = assert_answered(serve)
        assert answer == assert_answered(check)
        tls, *others = answer.splitlines()
        assert tls.startswith(
            f"ssl:7:privateKey={pem}:interface=127.0.0.1 is tcp 127.0.0.1 port 7; "
            "PROXY protocol from 127.0.0.0/8,::1; TLS with certificate for localhost, "
        )
        assert [
            "unix:echo.sock is stream socket echo.sock, mode 660",
            "unixgram:@echo is datagram socket @echo",
            "udp:7,9-10 is udp 0.0.0.0 port 7",
            "udp:7,9-10 is udp :: port 7",
            "udp:7,9-10 is udp 0.0.0.0 port 9",
            "udp:7,9-10 is udp :: port 9",
            "udp:7,9-10 is udp 0.0.0.0 port 10",
            "udp:7,9-10 is udp :: port 10",
        ] == others
        assert not (tmp_path / "echo.sock").exists()

    @pytest.mark.parametrize(
        ("options", "exit_code"),
        [
            (["--port", "70000"], EX_USAGE),
            (["--config", "none.toml"], EX_CONFIG),
            (["--host", "no.such.host.invalid"], EX_UNAVAILABLE),
        ],
        ids=["usage", "file", "host"],
    )
    def test_tells_what_is_wrong(
        self, options: list[str], exit_code: int, tmp_path: Path
    ) -> None:
        """What would refuse a start is told with the start's exit code."""
        ended = run(*SERVE, "--check-config", *options, folder=tmp_path)
        assert (exit_code, b"") == (ended.exit_code, ended.stdout)
        assert 1 == len(ended.stderr.splitlines()), ended.stderr
        assert options[1] in ended.stderr


class TestPrintConfig:
    """``--print-config``, and the layers that it shows."""

    @pytest.mark.parametrize(
        "options",
        [
            ["--host", "::1", "--port", "0", "--protocols", "udp"],
            ["--listen", "tcp:0", "--listen", r"unix:a\:b c", "--log-connections=no"],
        ],
        ids=["short", "listen"],
    )
    def test_reads_back(self, options: list[str], tmp_path: Path) -> None:
        """What is printed, given as the file, prints the same again."""
        command = (*TWISTD, "--print-config")
        first = assert_answered(run(*command, *options, folder=tmp_path))
        (tmp_path / "echod.toml").write_text(first)
        again = run(*command, "--config", "echod.toml", folder=tmp_path)
        assert first == assert_answered(again)

    def test_layers(self, tmp_path: Path) -> None:
        """The command line wins over the environment, that over the file, and so on."""
        file = tmp_path / "echod.toml"
        file.write_text('host = "file"\nport = 1\nprotocols = ["udp"]\n')
        settings = printed(
            *("--config", file.name, "--port", "3"),
            folder=tmp_path,
            ECHOD_HOST="environment",
            ECHOD_PORT="2",
        )
        assert {
            "host": "environment",
            "port": 3,
            "protocols": ["udp"],
            "idle_timeout": 300.0,
            "proxy_protocol": False,
            "proxy_from": ["127.0.0.0/8", "::1"],
            "proxy_timeout": 5.0,
            "tls_profile": "intermediate",
            "tls_minimum": "1.2",
            "handshake_timeout": 10.0,
            "client_certificates": "off",
            "client_ca": "",
            "client_names": [],
            "log_connections": True,
            "transport": "auto",
        } == settings

    def test_environment_names_the_file(self, tmp_path: Path) -> None:
        """ECHOD_CONFIG names the file, unless the command line does."""
        (tmp_path / "one.toml").write_text("port = 1\n")
        (tmp_path / "two.toml").write_text("port = 2\n")
        one = printed(folder=tmp_path, ECHOD_CONFIG="one.toml")
        two = printed("--config=two.toml", folder=tmp_path, ECHOD_CONFIG="one.toml")
        assert [1, 2] == [one["port"], two["port"]]

    def test_repeatable_variable(self, tmp_path: Path) -> None:
        """A variable gives several listeners with spaces between them."""
        settings = printed(folder=tmp_path, ECHOD_LISTEN="tcp:0 udp:0")
        assert ["tcp:0", "udp:0"] == settings["listen"]
