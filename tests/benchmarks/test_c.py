"""The C programs: the histogram, the reference servers, the load generators."""

import contextlib
import json
import math
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.build import FLAGS, HERE, PROGRAMS, build_c
from benchmarks.process import Process
from benchmarks.server import free_port, serving
from benchmarks.subject import SUBJECTS

pytestmark = pytest.mark.peer("gcc")

C = next(it for it in SUBJECTS if it.name == "c")
PATIENCE_S = 20.0
HOST = "127.0.0.1"

PERCENTILES = """
#include <stdio.h>
#include "histogram.h"
int main(void)
{
    static struct histogram h;
    long long ns;
    while (scanf("%lld", &ns) == 1)
        record(&h, ns);
    printf("%.3f %.3f %.3f\\n",
           percentile_us(&h, 0.5), percentile_us(&h, 0.99), percentile_us(&h, 1));
}
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled programs; a warning would have failed it."""
    folder = tmp_path_factory.mktemp("built")
    build_c(folder)
    return folder


@pytest.fixture(scope="module")
def percentiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that prints three percentiles of what it reads."""
    folder = tmp_path_factory.mktemp("percentiles")
    (folder / "it.c").write_text(PERCENTILES)
    subprocess.run(
        ["gcc", *FLAGS, f"-I{HERE / 'c'}", "-o", folder / "it", folder / "it.c"],
        check=True,
        timeout=PATIENCE_S,
    )
    return folder / "it"


def test_every_program_is_compiled(built: Path) -> None:
    """The compiler has nothing to say against any program, with all its warnings on."""
    assert set(PROGRAMS) == {it.name for it in built.iterdir()}


@settings(max_examples=25)
@given(st.lists(st.integers(0, 10**12), min_size=1))
def test_percentiles_are_right(percentiles: Path, values_ns: list[int]) -> None:
    """Percentiles are those of the sorted values, and at most 0.8 % above them."""
    done = subprocess.run(
        [percentiles],
        input=" ".join(map(str, values_ns)),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    ordered = sorted(values_ns)
    shares = (0.5, 0.99, 1)
    for share, text in zip(shares, done.stdout.split(), strict=True):
        exact_us = ordered[math.ceil(share * len(ordered)) - 1] / 1000
        assert exact_us - 0.001 <= float(text) <= exact_us * 1.008 + 0.001


@contextlib.contextmanager
def reference(transport: str, built: Path, folder: Path) -> Iterator[int]:
    """The C server's port."""
    with serving(C, (transport,), built=built, folder=folder, core=0) as (_, port):
        yield port


def test_reference_echoes_all_to_a_slow_reader(built: Path, tmp_path: Path) -> None:
    """40 MB come back byte for byte to a client that reads late, and half-closes."""
    sent = bytes(range(251)) * 160_000
    with (
        reference("tcp", built, tmp_path) as port,
        socket.create_connection((HOST, port), timeout=PATIENCE_S) as it,
    ):

        def send() -> None:
            it.sendall(sent)
            it.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        # Nothing is read until the server can take no more, whatever the buffers are.
        sender.join(0.3)
        assert sender.is_alive()
        back = b"".join(iter(lambda: it.recv(65_536), b""))
        sender.join(PATIENCE_S)
    assert sent == back


def test_reference_survives_resets(built: Path, tmp_path: Path) -> None:
    """Connections that are reset while they are owed bytes leave the others alone."""
    linger_for_nothing = b"\x01\0\0\0\0\0\0\0"
    with reference("tcp", built, tmp_path) as port:
        for _ in range(20):
            with socket.create_connection((HOST, port), timeout=PATIENCE_S) as it:
                it.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while it.send(b"x" * 65_536):
                        pass
                it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_nothing)
        with socket.create_connection((HOST, port), timeout=PATIENCE_S) as it:
            it.sendall(b"still there")
            assert b"still there" == it.recv(100)


@pytest.mark.parametrize("size", [0, 1, 1400, 65_507])
def test_reference_echoes_datagrams(built: Path, tmp_path: Path, size: int) -> None:
    """A datagram comes back whole, the empty and the longest too."""
    with (
        reference("udp", built, tmp_path) as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it,
    ):
        it.settimeout(PATIENCE_S)
        it.sendto(b"x" * size, (HOST, port))
        assert b"x" * size == it.recv(65_536)


def told(built: Path, folder: Path, *words: object) -> dict[str, Any]:
    """What a load generator says when it has been let go on."""
    command = [str(built / str(words[0])), *map(str, words[1:])]
    with Process(command, core=1, folder=folder, is_asked=True) as load:
        line = load.line(PATIENCE_S)
        if line == "go":
            load.answer()
            line = load.line(PATIENCE_S)
        said: dict[str, Any] = json.loads(line)
        return said


@pytest.mark.parametrize(
    ("transport", "load"),
    [
        ("tcp", ("tcp_load", "{port}", 3, 20, 64, 0.05, 0.1)),
        ("tcp", ("tcp_load", "{port}", 2, 0, 1_048_576, 0.05, 0.1)),
        ("tcp", ("connect_load", "{port}", 4, 0, 64, 0.05, 0.1)),
        ("tcp", ("connect_load", "{port}", 0, 200, 64, 0.05, 0.1)),
        ("tcp", ("probe_load", "{port}", 200, 64, 0.1)),
        ("udp", ("udp_load", "{port}", 4, 1400, 0.05, 0.1)),
    ],
)
def test_load_counts(
    built: Path, tmp_path: Path, transport: str, load: tuple[object, ...]
) -> None:
    """Each load generator is answered by the reference, and loses nothing."""
    with reference(transport, built, tmp_path) as port:
        seen = told(built, tmp_path, load[0], port, *load[2:])
    assert 0 < seen["timely"] <= seen["messages"]
    assert 0 == seen["lost"]
    assert 0 < seen["p50_us"] <= seen["p99_us"] <= seen["p999_us"] <= seen["max_us"]


def test_burst_is_whole(built: Path, tmp_path: Path) -> None:
    """A burst has as many connections as were asked for."""
    with reference("tcp", built, tmp_path) as port:
        seen = told(built, tmp_path, "connect_load", port, 0, 200, 64, 0.05, 0)
    assert 200 == seen["messages"]


@contextlib.contextmanager
def liar() -> Iterator[int]:
    """The port of a TCP server that sends back something else after the first 64 B."""
    with socket.create_server((HOST, free_port())) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(connection.recv(64))
                connection.sendall(connection.recv(64)[::-1])
                connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(PATIENCE_S)


def test_wrong_bytes_are_seen(built: Path, tmp_path: Path) -> None:
    """A server that sends back other bytes has failed."""
    with liar() as port:
        seen = told(built, tmp_path, "tcp_load", port, 1, 0, 64, 0.1, 0.1)
    assert {"failed": "other bytes came back than were sent"} == seen


def test_short_datagram_is_seen(built: Path, tmp_path: Path) -> None:
    """A server that cuts datagrams has failed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        it.bind((HOST, 0))
        it.settimeout(PATIENCE_S)

        def serve() -> None:
            datagram, peer = it.recvfrom(65_536)
            it.sendto(datagram[:10], peer)

        thread = threading.Thread(target=serve)
        thread.start()
        seen = told(built, tmp_path, "udp_load", it.getsockname()[1], 1, 64, 0.1, 0.1)
        thread.join(PATIENCE_S)
    assert {"failed": "a datagram of 64 bytes came back as 10"} == seen


def test_lost_datagrams_are_counted(built: Path, tmp_path: Path) -> None:
    """A server that drops every tenth datagram is told to have lost them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        it.bind((HOST, 0))
        it.settimeout(1.0)

        def serve() -> None:
            n = 0
            with contextlib.suppress(TimeoutError):
                while True:
                    datagram, peer = it.recvfrom(65_536)
                    n += 1
                    if n % 10:
                        it.sendto(datagram, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        seen = told(built, tmp_path, "udp_load", it.getsockname()[1], 4, 64, 0.1, 0.5)
        thread.join(PATIENCE_S)
    assert seen["lost"] > 0
    assert seen["messages"] > 0
