from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactor
from twisted.python.systemd import ListenFDs

from echod.errors import BadValue
from echod.wire import description
from echod.wire.certificates import Folder, KeyPair
from echod.wire.inherited import (
    DOMAINS,
    TYPES,
    InheritedListener,
    inherited_listener,
)

NAMES = st.text(
    st.characters(exclude_characters=":").filter(str.isprintable),
    min_size=1,
    max_size=255,
)
RESTRICTIONS = {
    "domain": st.sampled_from(["", *DOMAINS]),
    "type": st.sampled_from(["", *TYPES]),
    "certificates": st.sampled_from(
        [None, Folder("a:b"), KeyPair(private_key="k", certificate="c", chain="h")]
    ),
}
LISTENERS = st.builds(InheritedListener, name=NAMES, **RESTRICTIONS) | st.builds(
    InheritedListener, index=st.integers(0, 9_999_999), **RESTRICTIONS
)

FORM = (
    "want systemd:name=NAME or systemd:index=NUMBER, and domain=..., type=..., "
    "privateKey=... or certificates=... or not"
)


def read(text: str) -> InheritedListener:
    """What a description means, as the listeners of the settings read it."""
    return inherited_listener(*description.split(text), text, "listen")


@given(LISTENERS)
def test_listener_reads_back(it: InheritedListener) -> None:
    """The text of a listener is a description of the same listener."""
    assert it == read(str(it))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("systemd:name=echo", InheritedListener(name="echo")),
        ("systemd:index=1", InheritedListener(index=1)),
        (
            "systemd:domain=INET:name=echo",
            InheritedListener(name="echo", domain="INET"),
        ),
        ("systemd:domain=UNIX:index=0", InheritedListener(index=0, domain="UNIX")),
        ("systemd:INET6:0", InheritedListener(index=0, domain="INET6")),
        ("systemd:INET:name=echo", InheritedListener(name="echo", domain="INET")),
        (
            "systemd:name=echo:type=datagram",
            InheritedListener(name="echo", type="datagram"),
        ),
        ("systemd:index=007:type=stream", InheritedListener(index=7, type="stream")),
        (r"systemd:name=echo\=7.socket", InheritedListener(name="echo=7.socket")),
    ],
)
def test_descriptions(text: str, expected: InheritedListener) -> None:
    """A name or an index says which sockets; domain and type narrow them down."""
    assert expected == read(text)


@pytest.mark.parametrize(
    "text",
    [
        "systemd:domain=INET:name=b",
        "systemd:domain=INET6:index=1",
        "systemd:INET:1",
        "systemd:INET:name=b",
    ],
)
def test_descriptions_mean_the_same_to_twisted(text: str) -> None:
    """Twisted's own descriptions mean here the sockets that they mean to Twisted."""
    ours = read(text)
    there = ListenFDs([3, 4], ("a", "b"))
    where = "twisted.internet.endpoints._SystemdParser._sddaemon"
    with mock.patch(where, there):
        theirs = serverFromString(MemoryReactor(), text)
        reread = serverFromString(MemoryReactor(), str(ours))
    assert (4, 4) == (theirs.fileno, reread.fileno)
    assert theirs.addressFamily == reread.addressFamily
    assert f"AF_{ours.domain}" == theirs.addressFamily.name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("systemd", f"is systemd; {FORM}"),
        ("systemd:", f"is systemd:; {FORM}"),
        ("systemd:domain=INET", f"is systemd:domain=INET; {FORM}"),
        ("systemd:name=a:index=0", f"is systemd:name=a:index=0; {FORM}"),
        ("systemd:INET:0:a", f"is systemd:INET:0:a; {FORM}"),
        ("systemd:INET:0:index=0", f"is systemd:INET:0:index=0; {FORM}"),
        ("systemd:name=a:mode=660", f"is systemd:name=a:mode=660; {FORM}"),
        (
            "systemd:name=",
            (
                "systemd:name=: name is ''; "
                "want 1 to 255 printable characters, none of them a :"
            ),
        ),
        (
            r"systemd:name=a\:b",
            (
                r"systemd:name=a\:b: name is a:b; "
                "want 1 to 255 printable characters, none of them a :"
            ),
        ),
        (
            "systemd:index=-1",
            (
                "systemd:index=-1: index is -1; "
                "want 0 for the first socket, 1 for the second..."
            ),
        ),
        (
            "systemd:inet:0",
            "systemd:inet:0: domain is inet; want INET, INET6 or UNIX",
        ),
        (
            "systemd:domain=:name=a",
            "systemd:domain=:name=a: domain is ''; want INET, INET6 or UNIX",
        ),
        (
            "systemd:name=a:type=dgram",
            "systemd:name=a:type=dgram: type is dgram; want stream or datagram",
        ),
    ],
)
def test_wrong_description_is_one_line(text: str, message: str) -> None:
    """What is wrong with a description is said with the place and what is wanted."""
    with pytest.raises(BadValue) as caught:
        read(text)
    assert f"listen {message}" == str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "systemd:index=" + "9" * 5000,
        "systemd:index=\N{ARABIC-INDIC DIGIT ONE}",
        "systemd:index= 1",
        "systemd:name=" + "a" * 256,
        "systemd:name=a\nb",
    ],
)
def test_no_value_is_guessed(text: str) -> None:
    """What only looks like a number or a name is refused, in one line."""
    with pytest.raises(BadValue) as caught:
        read(text)
    assert str(caught.value).isprintable()


@given(
    st.text(st.sampled_from("=:\\-0123456789abx\n\0")).map("systemd:".__add__)
    | st.builds(
        "systemd:{}={}:{}={}".format,
        *[
            st.sampled_from(["name", "index", "domain", "type", "x"]),
            st.sampled_from(["a", "0", "INET", "stream", ""]),
        ]
        * 2,
    )
)
def test_any_text_is_a_listener_or_refused(text: str) -> None:
    """No text does anything but mean sockets or be refused in one line."""
    try:
        it = read(text)
    except BadValue as error:
        message = str(error)
    else:
        message = ""
        assert it == read(str(it))
    assert "\n" not in message
