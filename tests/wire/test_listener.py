import pytest
from hypothesis import given
from hypothesis import strategies as st

from echod.errors import BadValue
from echod.wire.address import host
from echod.wire.certificates import Folder, KeyPair
from echod.wire.listener import BACKLOG, Endpoint, Listener, listener

HOSTS = st.sampled_from(["", "localhost"]) | st.ip_addresses().map(str).map(host)
PORTS = st.integers(0, 65_535) | st.sampled_from(
    ["echo", "7,echo", "65432,65440-65449"]
)
PATHS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
CERTIFICATES = (
    st.none()
    | st.builds(Folder, PATHS)
    | st.builds(
        KeyPair, private_key=PATHS, certificate=PATHS, chain=st.just("") | PATHS
    )
)
LISTENERS = st.builds(
    Listener,
    protocol=st.just("tcp"),
    host=HOSTS,
    port=PORTS,
    backlog=st.integers(1, 65_535),
    certificates=CERTIFICATES,
) | st.builds(Listener, protocol=st.just("udp"), host=HOSTS, port=PORTS)


@given(LISTENERS)
def test_listener_reads_back(it: Listener) -> None:
    """The text of a listener is a description of the same listener."""
    assert it == listener(str(it))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp:7", Listener(protocol="tcp", host="", port=7)),
        ("udp:7", Listener(protocol="udp", host="", port=7)),
        (
            "tcp:7:interface=::1".replace("::1", r"\:\:1"),
            Listener(protocol="tcp", host="::1", port=7),
        ),
        ("tcp:port=7", Listener(protocol="tcp", host="", port=7)),
        (
            "tcp:7:127.0.0.1:5",
            Listener(protocol="tcp", host="127.0.0.1", port=7, backlog=5),
        ),
        (
            "udp:0:interface=localhost",
            Listener(protocol="udp", host="localhost", port=0),
        ),
        (
            "tcp:65432,65440-65449",
            Listener(protocol="tcp", host="", port="65432,65440-65449"),
        ),
        ("udp:echo:127.1", Listener(protocol="udp", host="127.0.0.1", port="echo")),
        (
            "ssl:7:privateKey=k.pem:certKey=c.pem:interface=127.0.0.1",
            Listener(
                protocol="tcp",
                host="127.0.0.1",
                port=7,
                certificates=KeyPair(private_key="k.pem", certificate="c.pem"),
            ),
        ),
        (
            "ssl:7:both.pem",
            Listener(
                protocol="tcp",
                host="",
                port=7,
                certificates=KeyPair(private_key="both.pem", certificate="both.pem"),
            ),
        ),
        (
            "tls:/etc/echod/certificates:7",
            Listener(
                protocol="tcp",
                host="",
                port=7,
                certificates=Folder("/etc/echod/certificates"),
            ),
        ),
        ("stdio:", Endpoint("stdio:")),
        ("haproxy:tcp\\:7", Endpoint("haproxy:tcp\\:7")),
    ],
)
def test_descriptions(text: str, expected: object) -> None:
    """Descriptions mean what they mean to Twisted, and ``udp:`` is one of them."""
    assert expected == listener(text)


def test_backlog_is_4096_unless_given() -> None:
    """A burst of connects is not lost to Twisted's backlog of 50."""
    assert BACKLOG == 4096
    assert isinstance(it := listener("tcp:7"), Listener)
    assert it.backlog == 4096


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tcp:70000",
            (
                "listen tcp:70000: port is 70000; "
                "want 0 to 65535, or the name of a service"
            ),
        ),
        (
            "udp:x!",
            "listen udp:x!: port is x!; want 0 to 65535, or the name of a service",
        ),
        ("tcp:", "listen tcp:: port is ''; want 0 to 65535, or the name of a service"),
        ("tcp", "listen is tcp; want tcp:PORT:interface=...:backlog=..."),
        ("udp:1:backlog=5", "listen is udp:1:backlog=5; want udp:PORT:interface=..."),
        ("udp:1:a:b", "listen is udp:1:a:b; want udp:PORT:interface=..."),
        ("tcp:1:backlog=0", "listen tcp:1:backlog=0: backlog is 0; want 1 to 65535"),
        (
            "tcp:1:interface=a b",
            (
                "listen tcp:1:interface=a b: interface is a b; "
                "want a host name, an IPv4 or an IPv6 address"
            ),
        ),
        ("", "listen is ''; want tcp:PORT, udp:PORT or another description"),
        ("7", "listen is 7; want tcp:PORT, udp:PORT or another description"),
        (":7", "listen is :7; want tcp:PORT, udp:PORT or another description"),
        (
            "AF_X25:1",
            (
                "listen is AF_X25:1; want tcp or udp (AF_INET, AF_INET6), unix or "
                "unixgram (AF_UNIX)"
            ),
        ),
        (
            "PF_X25",
            (
                "listen is PF_X25; want tcp or udp (AF_INET, AF_INET6), unix or "
                "unixgram (AF_UNIX)"
            ),
        ),
        (
            "tls:7",
            "listen is tls:7; want tls:FOLDER:PORT:interface=...:backlog=...",
        ),
        ("tls::7", "listen tls::7: certificates is ''; want a folder"),
        (
            "ssl:7:k:certKey=",
            "listen ssl:7:k:certKey=: certKey is ''; want a file",
        ),
        (
            "systemd:name=a:certKey=c",
            "listen systemd:name=a:certKey=c: certKey is c; want privateKey beside it",
        ),
        (
            "systemd:name=a:privateKey=k:certificates=f",
            (
                "listen systemd:name=a:privateKey=k:certificates=f: certificates is f; "
                "want no key beside it"
            ),
        ),
        (
            "ssl:7:privateKey=k:sslmethod=TLSv1_METHOD",
            (
                "listen is ssl:7:privateKey=k:sslmethod=TLSv1_METHOD; want ssl:PORT:"
                "privateKey=...:certKey=...:interface=...:backlog=...:"
                "extraCertChain=..."
            ),
        ),
        ("tcp:1\\", "listen is tcp:1\\; want a character after the last backslash"),
    ],
)
def test_wrong_description_is_one_line(text: str, message: str) -> None:
    """What is wrong with a description is said with the place and what is wanted."""
    with pytest.raises(BadValue) as caught:
        listener(text)
    assert message == str(caught.value)


def test_port_given_twice_is_refused() -> None:
    """A port by place and another by name leave no doubt behind."""
    with pytest.raises(BadValue, match="want udp:PORT"):
        listener("udp:7:port=8")


@given(st.text(st.sampled_from("tcpudp:=\\0123456789.interfacebacklog \n\0")))
def test_any_text_is_a_listener_or_refused(text: str) -> None:
    """No text does anything but mean a listener or be refused in one line."""
    try:
        listener(text)
    except BadValue as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message
