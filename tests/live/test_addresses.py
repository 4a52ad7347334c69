"""Every form of host and port of the lesson, for the server and the client."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ..support.asker import datagram_answer_on
from ..support.connection import half_closed_answer_on
from ..support.daemon import Daemon
from ..support.network import Network
from ..support.program import SERVE, assert_told, run

# The lesson's forms of one address, and what each means.
IPV4_FORMS = {
    "dotted quad": "127.0.0.1",
    "short": "127.1",
    "integer": "2130706433",
    "name": "localhost",
    "mapped": "::ffff:127.0.0.1",
}
IPV6_FORMS = {"colons": "0:0:0:0:0:0:0:1", "short": "::1", "dots": "::0.0.0.1"}

#: A port of services(5) that every process may have in a network of its own.
ECHO = 7


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """A network in which every port is free."""
    with Network() as made:
        yield made


def send(
    target: str, folder: Path, network: Network | None = None
) -> tuple[int, bytes, str]:
    """What ``echod send`` ends with, and what it says."""
    call = run if network is None else (lambda *a, **k: network.call(run, *a, **k))
    ended = call(SERVE[0], "send", "--timeout", "5", target, "Hi", folder=folder)
    return ended.exit_code, ended.stdout, ended.stderr


def answer_one(opened: socket.socket) -> None:
    """Send back one datagram."""
    datagram, source = opened.recvfrom(100)
    opened.sendto(datagram, source)


def make_link(network: Network, name: str) -> None:
    """A network device that is up, with another one at its other end."""
    try:
        network.run(
            *("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p")
        )
    except AssertionError as error:
        pytest.skip(f"needs a kernel with veth: {error}")
    for end in (name, f"{name}p"):
        network.run("ip", "link", "set", end, "up")


ANSWERED = (0, b"Received b'Hi'\n", "")


class TestHost:
    """One address in many forms."""

    @pytest.mark.parametrize("host", IPV4_FORMS.values(), ids=IPV4_FORMS)
    def test_ipv4(self, host: str, tmp_path: Path) -> None:
        """Each form of an IPv4 address is the same to the server and the client."""
        with Daemon(tmp_path, "--host", host, "--port", "0") as daemon:
            for protocol, port in daemon.ports.items():
                at = f"{protocol}:{port}:interface=127.0.0.1"
                assert f"Listening on {at}, " in daemon.log
                quoted = f"[{host}]" if ":" in host else host
                assert ANSWERED == send(f"{protocol}:{quoted}:{port}", tmp_path)
            assert b"x" == half_closed_answer_on(daemon.ports["tcp"], b"x")
            assert b"x" == datagram_answer_on(daemon.ports["udp"], b"x")

    @pytest.mark.parametrize("host", IPV6_FORMS.values(), ids=IPV6_FORMS)
    def test_ipv6(self, host: str, tmp_path: Path) -> None:
        """So is each form of an IPv6 address."""
        with Daemon(tmp_path, "--host", host, "--port", "0") as daemon:
            for protocol, port in daemon.ports.items():
                assert rf"{protocol}:{port}:interface=\:\:1, " in daemon.log
                assert ANSWERED == send(f"{protocol}:[{host}]:{port}", tmp_path)

    def test_zone(self, network: Network, tmp_path: Path) -> None:
        """A link-local address has a zone."""
        make_link(network, "zone0")
        network.run("ip", "address", "add", "fe80::7/64", "dev", "zone0", "nodad")
        options = ("--host", "fe80::7%zone0", "--port", "0")
        with network.inside(Daemon(tmp_path, *options)) as daemon:
            assert r"interface=fe80\:\:7%zone0, " in daemon.log
            for protocol, port in daemon.ports.items():
                target = f"{protocol}:[fe80::7%zone0]:{port}"
                assert ANSWERED == send(target, tmp_path, network)

    def test_empty_is_every_address(self, tmp_path: Path) -> None:
        """An empty host is every address of both families, on one port."""
        with Daemon(tmp_path, "--host", "", "--port", "0", listeners=4) as daemon:
            for protocol, port in daemon.ports.items():
                for host in ("127.0.0.1", "127.0.0.2", "[::1]"):
                    assert ANSWERED == send(f"{protocol}:{host}:{port}", tmp_path)
                assert f"{protocol}:{port}:interface=0.0.0.0, " in daemon.log
                assert rf"{protocol}:{port}:interface=\:\:, " in daemon.log

    def test_mapped_addresses_are_ipv4_in_the_log(self, tmp_path: Path) -> None:
        """A client that uses IPv4 is an IPv4 client, wherever the server listens."""
        with Daemon(tmp_path, "--host", "", "--port", "0", listeners=4) as daemon:
            half_closed_answer_on(daemon.ports["tcp"], b"x")
            daemon.wait_for(lambda log: "Connection from ('127.0.0.1', " in log)
        assert "::ffff:" not in daemon.log

    def test_every_address_of_each_family(
        self, network: Network, tmp_path: Path
    ) -> None:
        """0.0.0.0 and :: go together on one port."""
        every = (
            *("--listen", "tcp:4000:interface=0.0.0.0"),
            *("--listen", r"tcp:4000:interface=\:\:"),
        )
        with network.inside(Daemon(tmp_path, *every)):
            for host in ("127.0.0.1", "[::1]"):
                assert ANSWERED == send(f"tcp:{host}:4000", tmp_path, network)

    def test_broadcast(self, network: Network, tmp_path: Path) -> None:
        """Who asks <broadcast> hears from whoever answers; echod does not."""
        make_link(network, "wide0")
        network.run("ip", "address", "add", "10.9.9.1/24", "dev", "wide0")
        network.run("ip", "route", "add", "default", "dev", "wide0")
        target = "udp:<broadcast>:4001"
        options = ("--host", "<broadcast>", "--protocols", "udp", "--port", "4001")
        with network.inside(Daemon(tmp_path, *options, listeners=1)) as daemon:
            ended = network.call(
                run, SERVE[0], "send", "--timeout", "0.5", target, folder=tmp_path
            )
            assert_told(ended, 69, "no answer within 0.5 s")
            daemon.stop()
            assert "datagrams: 0 answered, 1 refused" in daemon.log
        with (
            network.socket(socket.SOCK_DGRAM) as answering,
            ThreadPoolExecutor(1) as background,
        ):
            answering.bind(("", 4001))
            answered = background.submit(answer_one, answering)
            assert ANSWERED == send(target, tmp_path, network)
            answered.result()

    def test_no_host_for_a_stream(self, network: Network, tmp_path: Path) -> None:
        """Nobody can connect to <broadcast>, and nobody can listen there."""
        listen = ("--listen", "tcp:0:interface=<broadcast>")
        ended = network.call(run, *SERVE, *listen, folder=tmp_path)
        assert_told(ended, 69, "interface=255.255.255.255", "an address of this host")
        code, _, told = send("tcp:<broadcast>:7", tmp_path, network)
        assert (69, True) == (code, "tcp:255.255.255.255:7: " in told)


class TestPort:
    """One or more ports, in many forms."""

    def test_several(self, network: Network, tmp_path: Path) -> None:
        """A list with a range in it is served on each of its ports."""
        several = ("--port", "65432,65440-65449")
        with network.inside(Daemon(tmp_path, *several, listeners=22)):
            for port in (65_432, *range(65_440, 65_450)):
                for ask in (half_closed_answer_on, datagram_answer_on):
                    assert b"x" == network.call(ask, port, b"x")

    @pytest.mark.parametrize("port", ["echo", str(ECHO)])
    def test_service(self, network: Network, port: str, tmp_path: Path) -> None:
        """A port may be the name of a service, which is another word for its number."""
        with network.inside(Daemon(tmp_path, "--port", port)) as daemon:
            assert {"tcp": ECHO, "udp": ECHO} == daemon.ports
            for target in ("tcp:127.0.0.1:echo", f"udp:localhost:{ECHO}"):
                assert ANSWERED == send(target, tmp_path, network)

    @pytest.mark.parametrize("protocol", ["tcp", "udp"])
    def test_unknown_service(self, protocol: str, tmp_path: Path) -> None:
        """The client, too, says that there is no such service."""
        code, answer, told = send(f"{protocol}:localhost:no-such", tmp_path)
        assert (68, b"") == (code, answer)
        wanted = "want a number, or a name that services(5) has"
        assert f"port no-such is no {protocol} service of this host; {wanted}" in told

    def test_one_of_several_in_use(self, network: Network, tmp_path: Path) -> None:
        """Either all ports are opened, or none."""
        with network.socket(socket.SOCK_STREAM) as taken:
            taken.bind(("127.0.0.1", 4003))
            taken.listen()
            several = ("--port", "4002-4004", "--protocols", "tcp")
            ended = network.call(run, *SERVE, *several, folder=tmp_path)
        assert_told(ended, 69, "tcp:4003:interface=127.0.0.1: address already in use")
