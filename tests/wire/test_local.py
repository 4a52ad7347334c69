import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import UNIXServerEndpoint, serverFromString

from echod.errors import BadValue
from echod.wire.description import split
from echod.wire.local import MAX_PATH_BYTES, UnixListener, unix_listener

NAMES = st.text(min_size=1, max_size=MAX_PATH_BYTES // 4).filter(
    lambda it: "\0" not in it and not it.startswith("@")
)
USERS = st.just("") | st.text(max_size=9)

LISTENERS = (
    st.builds(
        UnixListener,
        protocol=st.just("unix"),
        path=NAMES,
        mode=st.integers(0, 0o777),
        owner=USERS,
        group=USERS,
        backlog=st.integers(1, 65_535),
    )
    | st.builds(
        UnixListener,
        protocol=st.just("unixgram"),
        path=NAMES,
        mode=st.integers(0, 0o777),
        owner=USERS,
        group=USERS,
    )
    | st.builds(
        UnixListener,
        protocol=st.sampled_from(["unix", "unixgram"]),
        path=NAMES.map(lambda it: "@" + it),
    )
)


def parsed(text: str) -> UnixListener:
    return unix_listener(*split(text), text, "listen")


@given(LISTENERS)
def test_listener_reads_back(it: UnixListener) -> None:
    """The text of a listener is a description of the same listener."""
    assert it == parsed(str(it))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:/a", UnixListener(protocol="unix", path="/a")),
        ("unix:address=/a", UnixListener(protocol="unix", path="/a")),
        ("unixgram:/a", UnixListener(protocol="unixgram", path="/a")),
        ("unix:@a", UnixListener(protocol="unix", path="@a")),
        ("unix:@a:backlog=7", UnixListener(protocol="unix", path="@a", backlog=7)),
        ("unix:./@a", UnixListener(protocol="unix", path="./@a")),
        (r"unix:/a\:b", UnixListener(protocol="unix", path="/a:b")),
        ("unix:/a:mode=666", UnixListener(protocol="unix", path="/a", mode=0o666)),
        ("unix:/a:mode=0600", UnixListener(protocol="unix", path="/a", mode=0o600)),
        ("unix:/a:mode=0o7", UnixListener(protocol="unix", path="/a", mode=7)),
        ("unix:/a:mode=0", UnixListener(protocol="unix", path="/a", mode=0)),
        (
            "unix:/a:600:50:1",
            UnixListener(protocol="unix", path="/a", mode=0o600, backlog=50),
        ),
        ("unix:/a:lockfile=0", UnixListener(protocol="unix", path="/a")),
        (
            "unixgram:/a:owner=www:group=33",
            UnixListener(protocol="unixgram", path="/a", owner="www", group="33"),
        ),
        ("unix:/\udcff", UnixListener(protocol="unix", path="/\udcff")),
    ],
)
def test_descriptions(text: str, expected: UnixListener) -> None:
    """Descriptions mean what they mean to Twisted, with an owner and a group."""
    assert expected == parsed(text)


@pytest.mark.parametrize("text", ["unix:/a:600:50:0", "unix:/a:mode=0o666:backlog=9"])
def test_twisted_agrees(text: str) -> None:
    """Where Twisted has a description, it takes the same from it."""
    endpoint = serverFromString(None, text)
    assert isinstance(endpoint, UNIXServerEndpoint)
    it = parsed(text)
    assert (endpoint._address, endpoint._mode, endpoint._backlog) == (
        it.path,
        it.mode,
        it.backlog,
    )


def test_mode_is_660_unless_given() -> None:
    """A socket is not for everybody, as it is with Twisted's 666."""
    assert 0o660 == parsed("unix:/a").mode


@pytest.mark.parametrize("size", [MAX_PATH_BYTES - 1, MAX_PATH_BYTES])
@pytest.mark.parametrize("first", ["/", "@", "@é"])
def test_path_may_be_as_long_as_the_system_takes(first: str, size: int) -> None:
    """107 bytes are a name; the @ of an abstract one stands for a byte of its own."""
    name = first + "x" * (size - len(first.removeprefix("@").encode()))
    assert name == parsed(f"unix:{name}").path
    with pytest.raises(BadValue, match="at most 107 bytes, not 108"):
        parsed(f"unix:{name}{'x' * (108 - size)}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "unix:",
            "listen unix:: path is ''; want the path of a socket, or @ and a name",
        ),
        (
            "unix:@",
            "listen unix:@: path is @; want the path of a socket, or @ and a name",
        ),
        (
            "unix:a\0b",
            (
                r"listen 'unix:a\x00b': path is 'a\x00b'; "
                "want text that can be the name of a file"
            ),
        ),
        (
            "unix:\ud800",
            (
                r"listen 'unix:\ud800': path is '\ud800'; "
                "want text that can be the name of a file"
            ),
        ),
        (
            "unix:/a:mode=888",
            "listen unix:/a:mode=888: mode is 888; want octal digits, 0 to 777",
        ),
        (
            "unix:/a:mode=1777",
            "listen unix:/a:mode=1777: mode is 1777; want octal digits, 0 to 777",
        ),
        (
            "unix:/a:lockfile=x",
            "listen unix:/a:lockfile=x: lockfile is x; want 0 or 1",
        ),
        (
            "unix:/a:backlog=0",
            "listen unix:/a:backlog=0: backlog is 0; want 1 to 65535",
        ),
        (
            "unix:@a:mode=660",
            (
                "listen unix:@a:mode=660: mode is 660; "
                "want none: an abstract name has no file"
            ),
        ),
        (
            "unixgram:@a:owner=",
            (
                "listen unixgram:@a:owner=: owner is ''; "
                "want none: an abstract name has no file"
            ),
        ),
        (
            "unix",
            "listen is unix; want unix:PATH:mode=...:owner=...:group=...:backlog=...",
        ),
        (
            "unix:/a:user=b",
            (
                "listen is unix:/a:user=b; "
                "want unix:PATH:mode=...:owner=...:group=...:backlog=..."
            ),
        ),
        (
            "unixgram:/a:backlog=5",
            (
                "listen is unixgram:/a:backlog=5; "
                "want unixgram:PATH:mode=...:owner=...:group=..."
            ),
        ),
        (
            "unixgram:/a:600:5",
            (
                "listen is unixgram:/a:600:5; "
                "want unixgram:PATH:mode=...:owner=...:group=..."
            ),
        ),
        (
            "unix:/a:address=/b",
            (
                "listen is unix:/a:address=/b; "
                "want unix:PATH:mode=...:owner=...:group=...:backlog=..."
            ),
        ),
    ],
)
def test_wrong_description_is_one_line(text: str, message: str) -> None:
    """What is wrong with a description is said with the place and what is wanted."""
    with pytest.raises(BadValue) as caught:
        parsed(text)
    assert message == str(caught.value)


@given(
    st.sampled_from(["unix", "unixgram"]),
    st.text(st.sampled_from("/a@:=\\0178.modebacklgwnrupi \n\0\ud800\udcff")),
)
def test_any_text_is_a_listener_or_refused(prefix: str, rest: str) -> None:
    """No text does anything but mean a listener or be refused in one line."""
    try:
        message = str(parsed(f"{prefix}:{rest}").mode)
    except BadValue as error:
        message = str(error)
    assert message.isprintable()
