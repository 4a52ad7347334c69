"""The scenarios: what every subject is asked to do."""

from typing import Literal

from attrs import frozen

#: Who takes part in a quick run.
QUICK = frozenset({"c", "echod-fast", "echod-stock", "twisted", "uvloop"})
NOT_QUICK: frozenset[str] = frozenset()

#: From here on a process a connection is too much to ask of a machine.
MOST_FORKS = 5000

IDLE_CONNECTIONS = 10_000
PROBES_PER_S = 200
FLOODS_BYTES = (0, 1, 64, 1400)

Kind = Literal["load", "memory", "flood"]


@frozen(kw_only=True)
class Scenario:
    """
    One thing to ask of a server.

    Attributes:
        name: as on the command line and in the JSON.
        title: as in the report.
        kind: a ``load`` is timed and its CPU counted; ``memory`` is what idle
            connections cost; a ``flood`` of UDP is what a TCP probe suffers from.
        transport: ``tcp`` or ``udp``: what must be served.
        load: the C program and its arguments.
        payload_bytes: of one message.
        unit: what is counted.
        connections: how many are open at once.
        flood_bytes: the size of the flood's datagrams.
        quick: the subjects that take part in a quick run.
    """

    name: str
    title: str
    kind: Kind = "load"
    transport: Literal["tcp", "udp"]
    load: tuple[str, ...]
    payload_bytes: int = 0
    unit: Literal["message", "datagram", "connection"] = "message"
    connections: int = 1
    flood_bytes: int = 0
    quick: frozenset[str] = NOT_QUICK

    def command(
        self, port: int, *, warm_up_s: float, seconds: float
    ) -> tuple[str, ...]:
        """The load's program and arguments."""
        values = {"port": port, "warm_up_s": warm_up_s, "seconds": seconds}
        return tuple(word.format(**values) for word in self.load)


def _stream(
    size: int, active: int, title: str, quick: frozenset[str] = NOT_QUICK
) -> Scenario:
    return Scenario(
        name=f"tcp-{title.removesuffix(' B').replace(' ', '')}x{active}",
        title=f"TCP, {active} connection{'s' * (active > 1)} x {title}",
        transport="tcp",
        load=_tcp_load(active, 0, size),
        payload_bytes=size,
        connections=active,
        quick=quick,
    )


def _tcp_load(active: int, idle: int, size: int) -> tuple[str, ...]:
    sizes = (str(active), str(idle), str(size))
    return ("tcp_load", "{port}", *sizes, "{warm_up_s}", "{seconds}")


def _connects(
    name: str, title: str, at_once: int, total: int, quick: frozenset[str] = NOT_QUICK
) -> Scenario:
    sizes = (str(at_once), str(total), "64")
    return Scenario(
        name=name,
        title=title,
        transport="tcp",
        load=("connect_load", "{port}", *sizes, "{warm_up_s}", "{seconds}"),
        payload_bytes=64,
        unit="connection",
        connections=at_once or total,
        quick=quick,
    )


def _datagrams(size: int, window: int, quick: frozenset[str] = NOT_QUICK) -> Scenario:
    return Scenario(
        name=f"udp-{size}x{window}",
        title=f"UDP, {size:,} B, window of {window}",
        transport="udp",
        load=(
            *("udp_load", "{port}", str(window), str(size)),
            *("{warm_up_s}", "{seconds}"),
        ),
        payload_bytes=size,
        unit="datagram",
        quick=quick,
    )


def _flood(size: int) -> Scenario:
    return Scenario(
        name=f"flood-{size}",
        title=f"TCP 64 B round trip under a UDP flood of {size:,} B",
        kind="flood",
        transport="tcp",
        load=("probe_load", "{port}", str(PROBES_PER_S), "64", "{seconds}"),
        payload_bytes=64,
        flood_bytes=size,
        quick=frozenset({"echod-fast"}),
    )


SCENARIOS = (
    _stream(64, 1, "64 B"),
    _stream(64, 50, "64 B", QUICK),
    _stream(1024, 50, "1 KiB"),
    _stream(16 * 1024, 50, "16 KiB"),
    _stream(1024 * 1024, 4, "1 MiB", QUICK),
    Scenario(
        name="tcp-10000-open",
        title="TCP, 50 active of 10,000 open x 64 B",
        transport="tcp",
        load=_tcp_load(50, IDLE_CONNECTIONS - 50, 64),
        payload_bytes=64,
        connections=IDLE_CONNECTIONS,
        quick=QUICK,
    ),
    _connects("tcp-connects", "TCP, connect, 64 B, close; 16 at a time", 16, 0),
    _connects("tcp-burst", "TCP, a burst of 4,000 connects", 0, 4000, QUICK),
    _datagrams(64, 1),
    _datagrams(64, 16, QUICK),
    _datagrams(1400, 1),
    _datagrams(1400, 16),
    _datagrams(60_000, 1),
    _datagrams(60_000, 16),
    Scenario(
        name="idle-memory",
        title="Memory of an idle connection, of 10,000",
        kind="memory",
        transport="tcp",
        load=("tcp_load", "{port}", "0", str(IDLE_CONNECTIONS), "64", "0", "0"),
        unit="connection",
        connections=IDLE_CONNECTIONS,
        quick=frozenset({"echod-fast", "twisted"}),
    ),
    *(_flood(size) for size in FLOODS_BYTES),
)
