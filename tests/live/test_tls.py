"""Echo over TLS, as real clients meet it."""

import re
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import pytest
from OpenSSL import SSL

from ..contract import payload
from ..support.authority import DAY, NOW, Authority
from ..support.connection import PATIENCE_S
from ..support.daemon import Daemon
from ..support.latency import seconds_until
from ..support.program import SERVE, TWISTD, assert_told, run
from ..support.tls import VERSIONS

pytestmark = pytest.mark.usefixtures("transport")

#: In each version and each way; fewer where all is as with the fast transports.
HALF_CLOSES = {"fast": 1_000, "stock": 100}

UNREAD_CLIENTS = 40

#: Records of 16 KiB: more than any system buffers between two processes.
PUSHES = 4096

SIZES = [0, 5, 65_536, 1_000_003]

versions = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a certificate for localhost, its key, and who signed it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority()
    authority.write(folder, "ca.pem")
    authority.issue("localhost", "127.0.0.1").write(folder, "echod")
    return folder


def listener(folder: Path, port: int = 0) -> str:
    key, certificate = folder / "echod.key", folder / "echod.crt"
    return f"ssl:{port}:privateKey={key}:certKey={certificate}:interface=127.0.0.1"


@pytest.fixture(scope="module")
def echod(
    transport: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    options = ("--listen", listener(folder), "--log-connections", "no")
    with Daemon(tmp_path_factory.mktemp("echod"), *options, listeners=1) as daemon:
        yield daemon
    assert "Traceback" not in daemon.log


@pytest.fixture(scope="module")
def port(echod: Daemon) -> int:
    return echod.ports["ssl"]


def close_waits(port: int) -> list[str]:
    """The server's connections whose client has gone, and that it has not closed."""
    command = ["ss", "-Htn", "state", "close-wait", f"sport = :{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


class Client:
    """A TLS client of OpenSSL's own; a context manager."""

    def __init__(self, port: int, version: str) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(VERSIONS[version])
        context.set_max_proto_version(VERSIONS[version])
        self._socket = socket.create_connection(("127.0.0.1", port))
        patience = struct.pack("ll", int(PATIENCE_S), 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        self._connection = SSL.Connection(context, self._socket)
        self._connection.set_connect_state()
        self._connection.do_handshake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def push(self) -> None:
        """Send until nothing more is taken, and read nothing."""
        patience = struct.pack("ll", 0, 100_000)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        for _ in range(PUSHES):
            try:
                self._connection.send(bytes(16_384))
            except SSL.WantWriteError:
                return
        raise AssertionError("there is no end to it")

    def certificate(self) -> bytes:
        """What the server has shown."""
        found = self._connection.get_peer_certificate()
        assert found is not None
        return found.digest("sha256")

    def answer(self, data: bytes, end: str) -> bytes:
        """All that comes back for ``data`` and this kind of end."""
        self._connection.sendall(data)
        if end == "close_notify":
            self._connection.shutdown()
        else:
            self._socket.shutdown(socket.SHUT_WR)
        received = bytearray()
        try:
            while True:
                received += self._connection.recv(65_536)
        except SSL.ZeroReturnError:
            return bytes(received)


@versions
@pytest.mark.parametrize("end", ["close_notify", "fin"])
def test_half_closes(port: int, version: str, end: str, transport: str) -> None:
    """Whichever way a client half-closes, it gets every byte, and the end of them."""
    for number in range(HALF_CLOSES[transport]):
        sent = payload(number % 100)
        with Client(port, version) as client:
            assert sent == client.answer(sent, end)
    assert seconds_until(lambda: not close_waits(port)) < 5


def test_clients_that_never_read_cost_little(echod: Daemon, port: int) -> None:
    """Clients that never read cost at most 256 KiB of memory each."""
    before_bytes = echod.rss_bytes()
    with ExitStack() as stack:
        for _ in range(UNREAD_CLIENTS):
            stack.enter_context(Client(port, "1.3")).push()
        grown_bytes = echod.rss_bytes() - before_bytes
        with Client(port, "1.3") as other:
            assert b"x" == other.answer(b"x", "fin")
    assert grown_bytes / UNREAD_CLIENTS <= 256 * 1024


class TestReload:
    """Certificates that are changed while the service runs."""

    def test_new_certificate_is_served(self, tmp_path: Path) -> None:
        """A new certificate is served soon; a bad one is told, and changes nothing."""
        authority = Authority()
        _, certificate = authority.issue("localhost").write(tmp_path, "echod")
        ca = authority.write(tmp_path)
        key = Path(certificate).with_suffix(".key")
        listen = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
        with Daemon(tmp_path, "--listen", listen, listeners=1) as daemon:
            port = daemon.ports["ssl"]
            first = shown(port)
            with Client(port, "1.3") as before:
                authority.issue("localhost", "other.example").write(tmp_path, "echod")
                daemon.wait_for(lambda log: "Loaded certificate for" in log)
                assert first != (second := shown(port))
                assert b"x" == before.answer(b"x", "fin")
            key.write_text("nonsense")
            told = daemon.wait_for(lambda log: "stays in use" in log)
            assert 1 == told.count("stays in use")
            assert second == shown(port)
            target = f"tls:localhost:{port}"
            ended = run(SERVE[0], "send", "--ca", ca, target, folder=tmp_path)
            assert 0 == ended.exit_code, ended
        assert "Traceback" not in daemon.log


def shown(port: int) -> bytes:
    """The certificate that a server shows."""
    with Client(port, "1.3") as client:
        return client.certificate()


class TestWrongStart:
    """What cannot be served over TLS."""

    @pytest.mark.parametrize(
        ("name", "words"),
        {
            "missing key": ("none.key", ["none.key", "no such file", "want"]),
            "another's key": ("other.key", ["not for the key in other.key", "want"]),
        }.values(),
        ids=["missing key", "another's key"],
    )
    def test_key(self, name: str, words: list[str], tmp_path: Path) -> None:
        """A key that is not there, or not the certificate's, is told in one line."""
        authority = Authority()
        authority.issue("localhost").write(tmp_path, "echod")
        authority.issue("localhost").write(tmp_path, "other")
        listen = f"ssl:0:privateKey={name}:certKey=echod.crt"
        for face in (TWISTD, SERVE):
            ended = run(*face, "--listen", listen, folder=tmp_path)
            assert_told(ended, 78, f"listen ssl:0:privateKey={name}", *words)

    def test_expired(self, tmp_path: Path) -> None:
        """A certificate that has expired is not served."""
        issued = Authority().issue("localhost", end=NOW - DAY / 2)
        issued.write(tmp_path, "echod")
        listen = "ssl:0:privateKey=echod.key:certKey=echod.crt"
        ended = run(*TWISTD, "--listen", listen, folder=tmp_path)
        assert_told(ended, 78, "echod.crt", "expired")

    def test_empty_folder(self, tmp_path: Path) -> None:
        """A folder without certificates is no folder to serve from."""
        (tmp_path / "certificates").mkdir()
        ended = run(*TWISTD, "--listen", "tls:certificates:0", folder=tmp_path)
        assert_told(ended, 78, "tls:certificates:0", "want")

    def test_client_certificates_without_authority(
        self, folder: Path, tmp_path: Path
    ) -> None:
        """Nobody can vouch for clients where no authority is given."""
        options = ("--client-certificates", "required", "--listen", listener(folder))
        ended = run(*TWISTD, *options, folder=tmp_path)
        assert_told(ended, 78, "client_ca is empty", "want a PEM file")


class TestClientCertificates:
    """Clients that must prove who they are."""

    def test_required(self, folder: Path, tmp_path: Path) -> None:
        """Who has a certificate with an accepted name is served, and nobody else."""
        authority = Authority()
        authority.issue("client.example").write(tmp_path, "client")
        authority.issue("other.example").write(tmp_path, "other")
        options = (
            *("--client-certificates", "required"),
            *("--client-ca", authority.write(tmp_path, "clients.crt")),
            *("--client-names", "client.example"),
        )
        listen = ("--listen", listener(folder))
        with Daemon(tmp_path, *listen, *options, listeners=1) as daemon:
            target = f"tls:localhost:{daemon.ports['ssl']}"
            ca = ("--ca", str(folder / "ca.pem"))
            ended = {}
            for name in ("client", "other", ""):
                shows = ("--cert", f"{name}.crt", "--key", f"{name}.key")
                command = (SERVE[0], "send", *ca, *(shows if name else ()), target)
                ended[name] = run(*command, folder=tmp_path)
            assert 0 == ended["client"].exit_code
            assert_told(ended["other"], 76, target, "alert bad certificate")
            assert_told(ended[""], 76, target, "alert certificate required")
            told = daemon.wait_for(lambda log: "Refused " in log)
            assert "Connection from ('127.0.0.1', " in told
            assert " closed after 12 bytes" in told
        assert "Traceback" not in daemon.log


class TestPeers:
    """Programs that people have."""

    @pytest.mark.peer("socat")
    @pytest.mark.parametrize("size", SIZES)
    def test_socat(self, port: int, size: int) -> None:
        """Socat, which ends with close_notify, gets what it sent."""
        command = ("socat", "-t20", "-", f"OPENSSL:127.0.0.1:{port},verify=0")
        assert payload(size) == answer_of(command, payload(size))

    @pytest.mark.peer("ncat")
    @pytest.mark.parametrize("size", SIZES)
    def test_ncat(self, port: int, size: int) -> None:
        """Ncat, which ends with a FIN, gets what it sent."""
        command = ("ncat", "--ssl", "127.0.0.1", str(port))
        assert payload(size) == answer_of(command, payload(size))

    @pytest.mark.peer("openssl")
    @versions
    def test_s_client(self, port: int, version: str, folder: Path) -> None:
        """Openssl speaks either version, and can verify who answers."""
        command = s_client(port, f"-tls{version.replace('.', '_')}", "-quiet")
        verify = ("-CAfile", str(folder / "ca.pem"), "-verify_return_error")
        with subprocess.Popen(
            [*command, *verify, "-verify_hostname", "localhost"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(b"hello\n")
            client.stdin.flush()
            assert b"hello\n" == client.stdout.readline()
            client.terminate()

    @pytest.mark.peer("openssl")
    def test_old_version(self, port: int) -> None:
        """TLS 1.1 is refused by an alert."""
        options = ("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
        done = subprocess.run(
            s_client(port, *options), input=b"", capture_output=True, check=False
        )
        told = (done.stdout + done.stderr).decode()
        assert 0 != done.returncode
        assert re.search("alert protocol version|alert number 70", told), told

    @pytest.mark.peer("openssl")
    def test_renegotiation(self, port: int) -> None:
        """A client that asks for another handshake on its connection gets none."""
        done = subprocess.run(
            s_client(port, "-tls1_2"), input=b"R\n", capture_output=True, check=False
        )
        assert "no renegotiation" in (done.stdout + done.stderr).decode()

    def test_send(self, port: int, folder: Path, tmp_path: Path) -> None:
        """Echod's own client verifies who answers, by its authority and its name."""
        target = f"tls:localhost:{port}"
        ca = ("--ca", str(folder / "ca.pem"))
        ended = run(SERVE[0], "send", *ca, target, folder=tmp_path)
        assert (0, b"Received b'Hello, world'\n") == (ended.exit_code, ended.stdout)
        big = payload(1_000_003)
        (tmp_path / "sent").write_bytes(big)
        with (tmp_path / "sent").open("rb") as stdin:
            ended = run(
                SERVE[0], "send", *ca, target, "-", folder=tmp_path, stdin=stdin
            )
        assert (0, big) == (ended.exit_code, ended.stdout)
        untrusted = run(SERVE[0], "send", target, folder=tmp_path)
        assert_told(untrusted, 69, target, "certificate", "want ")
        insecure = run(SERVE[0], "send", "--insecure", target, folder=tmp_path)
        assert 0 == insecure.exit_code


def answer_of(command: tuple[str, ...], sent: bytes) -> bytes:
    """What a program prints that is given ``sent``."""
    done = subprocess.run(
        command, input=sent, capture_output=True, timeout=60, check=False
    )
    return done.stdout


def s_client(port: int, *options: str) -> list[str]:
    return ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options]
