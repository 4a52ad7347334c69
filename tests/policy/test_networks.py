import bisect
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echod.errors import BadValue
from echod.policy.networks import Networks, networks

_NETWORKS = st.lists(
    st.tuples(st.ip_addresses(), st.integers(0, 128)).map(
        lambda it: str(
            ip_network((it[0], it[1] % (it[0].max_prefixlen + 1)), strict=False)
        )
    ),
    max_size=8,
)


def near(texts: list[str]) -> st.SearchStrategy[IPv4Address | IPv6Address]:
    """Addresses at the edges of networks, and any other."""
    edges: list[IPv4Address | IPv6Address] = []
    for network in map(ip_network, texts):
        kind = type(network.network_address)
        first, last = int(network.network_address), int(network.broadcast_address)
        numbers = (first - 1, first, last, last + 1)
        most = (1 << network.max_prefixlen) - 1
        edges += [kind(it) for it in numbers if 0 <= it <= most]
    return st.sampled_from(edges) | st.ip_addresses() if edges else st.ip_addresses()


@given(_NETWORKS, st.data())
def test_contains_what_its_networks_do(texts: list[str], draw: st.DataObject) -> None:
    """An address is in the set if it is in one of the networks."""
    address = draw.draw(near(texts))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    plain = mapped or address
    # No network of these is mapped.
    expected = any(plain in ip_network(it) for it in texts)
    assert expected == networks(texts).contains(str(address))


@given(_NETWORKS)
def test_text_reads_back(texts: list[str]) -> None:
    """The text of a set, and the list of its texts, mean the same set."""
    made = networks(texts)
    assert made == networks(str(made)) == networks(list(made))
    assert hash(made) == hash(networks(str(made)))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("127.0.0.0/8, ::1", ["127.0.0.0/8", "::1"]),
        (["127.0.0.0/8", "::1"], ["127.0.0.0/8", "::1"]),
        (("10.1.2.3",), ["10.1.2.3"]),
        ("10.1.2.3/32,::1/128", ["10.1.2.3", "::1"]),
        ("2001:DB8:0::/32", ["2001:db8::/32"]),
        ("::ffff:10.0.0.0/104", ["10.0.0.0/8"]),
        ("::ffff:10.0.0.1", ["10.0.0.1"]),
        ("::ffff:0:0/96", ["0.0.0.0/0"]),
        ("::ffff:0:0/95", BadValue),
        ("::/0,0.0.0.0/0", ["::/0", "0.0.0.0/0"]),
        ("10.0.0.0/8,10.0.0.0/8,10.0.0.0/9", ["10.0.0.0/8", "10.0.0.0/9"]),
        ("", []),
        ([], []),
    ],
)
def test_forms(given: list[str], expected: list[str] | type[BadValue]) -> None:
    """Networks and addresses, as a list or as text; they are shown as they were."""
    if expected is BadValue:
        with pytest.raises(BadValue):
            networks(given)
    else:
        assert expected == list(networks(given))


@pytest.mark.parametrize(
    "value",
    [
        *("10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0/8", "10.0.0.0/8/8", "10.0.0.0/-1"),
        *("10.0.0.0/255.0.0.0", "10.0.0.0/0.255.255.255", "010.0.0.0/8", "10"),
        *("::1/129", "fe80::1%lo", "fe80::%lo/64", "1::2::3", "[::1]", "localhost"),
        *(
            "10.0.0.0/8,",
            ",",
            " ",
            "*",
            "10.0.0.0-10.0.0.9",
            "\u0661.0.0.0/8",
            "::1/\u0668",
        ),
        *([1], [None], [["::1"]], [b"::1"], 5, None, True, {"::1": 1}, [""]),
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    """What is no set of networks is refused in one line that names it."""
    with pytest.raises(BadValue, match=r"^proxy_from is .*; want a (network|list)"):
        networks(value, "proxy_from")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("10.1.2.3/8", "x is 10.1.2.3/8; want 10.0.0.0/8, or 10.1.2.3 alone"),
        ("fd00::1/8", "x is fd00::1/8; want fd00::/8, or fd00::1 alone"),
    ],
)
def test_host_bits_are_refused(text: str, told: str) -> None:
    """A network with bits of a host in it is two things at once; none is guessed."""
    with pytest.raises(BadValue) as caught:
        networks(["::1", text], "x")
    assert told == str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.255.255.255", True),
        ("128.0.0.0", False),
        ("126.255.255.255", False),
        ("::ffff:127.0.0.1", True),
        ("::ffff:7f00:1", True),
        ("::FFFF:127.0.0.1", True),
        ("::ffff:128.0.0.1", False),
        ("::127.0.0.1", False),
        ("::1", True),
        ("::2", False),
        ("fe80::1", True),
        ("fe80::1%eth0", True),
        ("fe80::1%", True),
        ("fec0::1%eth0", False),
        ("::1%lo", True),
        ("", False),
        ("localhost", False),
        ("/run/a.sock", False),
        ("127.1", False),
        ("127.0.0.1/32", False),
        ("::1/128", False),
        ("%", False),
    ],
)
def test_contains(host: str, expected: bool) -> None:
    """Mapped addresses are IPv4, zones do not count, and what is no address is out."""
    assert expected == networks("127.0.0.0/8,::1,fe80::/10").contains(host)


def test_families_are_apart() -> None:
    """All of IPv6 has no IPv4 in it, mapped or not, nor the other way round."""
    assert not networks("::/0").contains("10.0.0.1")
    assert not networks("::/0").contains("::ffff:10.0.0.1")
    assert not networks("0.0.0.0/0").contains("::a00:1")
    assert networks("0.0.0.0/0").contains("::ffff:10.0.0.1")


def test_none() -> None:
    """An empty set has nothing in it, and is what there is without networks."""
    assert Networks() == networks("")
    assert "" == str(Networks())
    assert not Networks().contains("127.0.0.1")


def test_a_set_stays_itself() -> None:
    """What is a set already is taken as it is."""
    made = networks("::1")
    assert made is networks(made)


def test_ten_thousand_networks_cost_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up is one search among ranges that stand apart, however many there are."""
    made = networks([f"{n >> 8}.{n & 255}.0.0/17" for n in range(256, 10_256)])
    assert made.contains("20.20.127.255")
    assert not made.contains("20.20.128.0")
    searches: list[int] = []

    def search(firsts: list[int], number: int) -> int:
        searches.append(len(firsts))
        return bisect.bisect_right(firsts, number)

    monkeypatch.setattr("echod.policy.networks.bisect_right", search)
    assert made.contains("20.20.0.0")
    assert [10_000] == searches


@given(_NETWORKS)
def test_neighbours_are_merged(texts: list[str]) -> None:
    """The halves of each network are as good as the network."""
    halves = [
        str(half) for network in map(ip_network, texts) for half in network.subnets()
    ]
    whole, split = networks(texts), networks(halves)
    assert whole._ranges == split._ranges
    assert all(whole.contains(str(ip_address(it.partition("/")[0]))) for it in halves)
