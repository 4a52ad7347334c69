from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from echod.errors import BadValue
from echod.wire.target import Target, target

TARGETS = st.builds(
    Target,
    protocol=st.sampled_from(["tcp", "udp"]),
    host=st.just("localhost") | st.ip_addresses().map(str),
    port=st.integers(1, 65_535),
)


@given(TARGETS)
def test_target_reads_back(it: Target) -> None:
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
    ],
)
def test_forms(text: str, expected: Target) -> None:
    """A target is tcp: or udp:, HOST:PORT, with brackets around an IPv6 address."""
    assert expected == target(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "localhost",
            "localhost:",
            "localhost:x",
            "localhost:0",
            "localhost:65536",
        ),
        *(":7", "::1:7", "[::1]", "[127.0.0.1]:7", "[]:7", "tls:localhost:7", "a b:7"),
        *("localhost:7\n", "tcp::7", "tcp:localhost:7:8"),
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
        assert str(target(text)).endswith(str(target(text).port))
