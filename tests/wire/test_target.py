from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echod.errors import BadValue
from echod.wire.address import host
from echod.wire.target import AnyTarget, Target, UnixTarget, target

PATHS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=25,
).filter(lambda it: it != "@")
TARGETS = st.builds(
    Target,
    protocol=st.sampled_from(["tcp", "udp", "tls"]),
    host=st.just("localhost") | st.ip_addresses().map(str).map(host),
    port=st.integers(1, 65_535) | st.just("echo"),
) | st.builds(UnixTarget, protocol=st.sampled_from(["unix", "unixgram"]), path=PATHS)


@given(TARGETS)
def test_target_reads_back(it: AnyTarget) -> None:
    """The text of a target means the same target."""
    assert it == target(str(it))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("localhost:7", Target(protocol="tcp", host="localhost", port=7)),
        ("tcp:localhost:7", Target(protocol="tcp", host="localhost", port=7)),
        ("udp:[::1]:7", Target(protocol="udp", host="::1", port=7)),
        ("[fe80::1%lo]:7", Target(protocol="tcp", host="fe80::1%lo", port=7)),
        ("tcp:7", Target(protocol="tcp", host="tcp", port=7)),
        ("tls:127.1:echo", Target(protocol="tls", host="127.0.0.1", port="echo")),
        ("udp:<broadcast>:7", Target(protocol="udp", host="255.255.255.255", port=7)),
        ("2130706433:7", Target(protocol="tcp", host="127.0.0.1", port=7)),
        ("[::ffff:127.0.0.1]:7", Target(protocol="tcp", host="127.0.0.1", port=7)),
        ("unix:/run/a:b", UnixTarget(protocol="unix", path="/run/a:b")),
        ("unixgram:@echo", UnixTarget(protocol="unixgram", path="@echo")),
    ],
)
def test_forms(text: str, expected: AnyTarget) -> None:
    """A host and a port with a protocol before them, or the path of a socket."""
    assert expected == target(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "localhost",
            "localhost:",
            "localhost:x!",
            "localhost:1,2",
            "localhost:0",
            "localhost:65536",
        ),
        *(":7", "::1:7", "[::1]", "[127.0.0.1]:7", "[]:7", "ssl:localhost:7", "a b:7"),
        *(
            "localhost:7\n",
            "tcp::7",
            "tcp:localhost:7:8",
            "unix:",
            "unix:@",
            "unixgram:" + "a" * 108,
        ),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """What is no target is refused in one line that names it."""
    with pytest.raises(BadValue, match=r"^TARGET .*; want "):
        target(text, "TARGET")


@given(st.text())
def test_any_text_is_a_target_or_refused(text: str) -> None:
    """No text does anything but mean a target or be refused."""
    with suppress(BadValue):
        assert target(text) == target(str(target(text)))
