import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from echod import EchodError, Settings
from echod.config.document import document
from echod.config.environment import variable
from echod.config.layers import flag, settings
from echod.errors import EX_CONFIG, EX_USAGE
from echod.settings import knobs
from echod.wire.listener import Endpoint, Listener

from ..wire.test_listener import HOSTS, LISTENERS, PORTS

TWO_WAYS = (
    "{} replaces host, port and protocols, and {} is there as well; "
    "want one of the two ways"
)
WANTED_PORT = "want 0 to 65535, or the name of a service"
IN_FILE_ONLY = {"listener"}
VARIABLES = [variable(it.name) for it in knobs() if it.name not in IN_FILE_ONLY]


def made(ways: dict[str, Any], terms: dict[str, Any], logs: bool) -> Settings:
    """Settings of these parts."""
    return Settings(**ways, **terms, log_connections=logs)


LISTEN = st.lists(LISTENERS | st.just(Endpoint("stdio:")), min_size=1)
SHORT = st.fixed_dictionaries(
    {},
    optional={
        "host": HOSTS,
        "port": PORTS,
        "protocols": st.sampled_from([("tcp",), ("udp",), ("udp", "tcp")]),
    },
)
TERMS = st.fixed_dictionaries(
    {},
    optional={
        "idle_timeout": st.floats(0, 1e6),
        "proxy_protocol": st.booleans(),
        "proxy_from": st.sampled_from(["", "::1", "10.0.0.0/8,fd00::/8"]),
        "client_names": st.lists(st.sampled_from(["a.example", "b@c"]), unique=True),
        "client_ca": st.text(
            st.characters(exclude_characters="\0", exclude_categories=["Cs"])
        ),
        "tls_minimum": st.sampled_from(["1.2", "1.3"]),
    },
)
WAYS = SHORT | LISTEN.map(lambda it: {"listen": it})
TABLES = st.lists(
    st.tuples(WAYS, TERMS).map(lambda it: {**it[0], **it[1]}), min_size=1, max_size=3
)
SETTINGS: st.SearchStrategy[Settings] = st.tuples(
    WAYS | TABLES.map(lambda it: {"listener": it}), TERMS, st.booleans()
).map(lambda it: made(*it))


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "echod.toml"


def test_defaults_are_the_lesson() -> None:
    """Without a word from anybody, TCP and UDP are served on 127.0.0.1:65432."""
    assert Settings() == settings({}, {})
    assert [
        Listener(protocol="tcp", host="127.0.0.1", port=65_432),
        Listener(protocol="udp", host="127.0.0.1", port=65_432),
    ] == list(settings({}, {}).listeners)


def test_each_layer_gives_way_to_the_next(toml: Path) -> None:
    """The command line wins over the environment, and that over the file."""
    toml.write_text('port = 1\nhost = "::1"\nprotocols = ["udp"]')
    layered = settings({"port": "3"}, {"ECHOD_PORT": "2", "ECHOD_HOST": ""}, str(toml))
    assert Settings(port=3, host="", protocols=("udp",)) == layered


def test_variable_names_the_file(toml: Path) -> None:
    """ECHOD_CONFIG names the file where the command line does not."""
    toml.write_text("port = 1")
    assert Settings(port=1) == settings({}, {"ECHOD_CONFIG": str(toml)})
    assert Settings() == settings({}, {"ECHOD_CONFIG": ""})
    other = toml.with_name("other.toml")
    other.write_text("port = 2")
    assert Settings(port=2) == settings({}, {"ECHOD_CONFIG": str(toml)}, str(other))


def test_other_variables_are_nobody_s_business() -> None:
    """Variables without the prefix are passed over."""
    assert Settings() == settings(
        {}, {"PORT": "1", "XECHOD_PORT": "1", "echod_port": "1"}
    )


def test_several_listeners_in_a_variable() -> None:
    """A variable holds several descriptions, parted by spaces."""
    layered = settings({}, {"ECHOD_LISTEN": "tcp:1  udp:2"})
    assert ["tcp:1", "udp:2"] == [str(it) for it in layered.listeners]


def test_empty_list_of_listeners_says_nothing(toml: Path) -> None:
    """An empty variable or list leaves the word to host, port and protocols."""
    toml.write_text("listen = []")
    assert Settings(port=7) == settings({"port": "7"}, {}, str(toml))
    assert Settings(port=7) == settings({"port": "7"}, {"ECHOD_LISTEN": ""})


@pytest.mark.parametrize("word", ["yes", "true", "on", "1", "YES"])
def test_yes(word: str) -> None:
    """Yes may be said in the usual words."""
    assert settings({"log_connections": word}, {}).log_connections is True


@pytest.mark.parametrize("word", ["no", "false", "off", "0", "No"])
def test_no(word: str) -> None:
    """So may no."""
    assert settings({}, {"ECHOD_LOG_CONNECTIONS": word}).log_connections is False


@given(it=SETTINGS)
@profile(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_document_reads_back(it: Settings, toml: Path) -> None:
    """What --print-config prints is a file that gives the same settings."""
    toml.write_text(document(it))
    assert it == settings({}, {}, str(toml))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
).filter(lambda value: "None" not in repr(value))


@given(
    given_=st.dictionaries(
        st.sampled_from([knob.name for knob in knobs()]) | st.text(), VALUES, max_size=3
    )
)
@profile(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_toml_is_settings_or_one_line(
    given_: dict[str, object], toml: Path
) -> None:
    """Whatever a TOML file holds, it gives settings or an error of one line."""
    toml.write_text(tomli_w.dumps(given_), encoding="utf-8")
    try:
        settings({}, {}, str(toml))
    except EchodError as error:
        message, code = str(error), error.exit_code
        assert message.startswith(str(toml))
        assert "; want " in message
        assert "\n" not in message
        assert code == EX_CONFIG


@given(text=st.binary())
@profile(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_settings_or_one_line(text: bytes, toml: Path) -> None:
    """Whatever a file holds, it gives settings or an error of one line."""
    toml.write_bytes(text)
    try:
        settings({}, {}, str(toml))
    except EchodError as error:
        message, code = str(error), error.exit_code
        assert "\n" not in message
        assert code == EX_CONFIG


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("port = 70000", "port is 70000; want 0 to 65535"),
        ("port = true", "port is True; want 0 to 65535"),
        ("host = 5.5", "host is 5.5; want a host name, an IPv4 or an IPv6 address"),
        ("prot = 1", "there is no setting prot; want port"),
        (
            "zzz = 1",
            "there is no setting zzz; want " + ", ".join(k.name for k in knobs()),
        ),
        ("protocols = []", "protocols is []; want a choice of tcp, udp"),
        ("protocols = 5", "protocols is 5; want a choice of tcp, udp"),
        (
            'protocols = ["tcp", "tcp"]',
            "protocols is tcp; want each of tcp, udp at most once",
        ),
        (
            'protocols = ["sctp"]',
            "protocols is sctp; want each of tcp, udp at most once",
        ),
        ("protocols = [[]]", "protocols is []; want each of tcp, udp at most once"),
        ('listen = ["tcp:70000"]', "listen tcp:70000: port is 70000; " + WANTED_PORT),
        ("listen = [5]", "listen is 5; want a description such as tcp:65432"),
        ("listen = 5", "listen is 5; want a list of descriptions such as tcp:65432"),
        ("log_connections = 2", "log_connections is 2; want yes or no"),
        ('listen = ["tcp:1"]\nport = 1', TWO_WAYS),
    ],
)
def test_wrong_file_is_one_line_with_the_place(
    toml: Path, text: str, message: str
) -> None:
    """An error in the file names the file, the key, the value and what is wanted."""
    toml.write_text(text)
    expected = f"{toml}: {message}"
    if message == TWO_WAYS:
        expected = message.format(f"{toml}: listen", f"{toml}: port")
    with pytest.raises(EchodError) as caught:
        settings({}, {}, str(toml))
    assert (expected, EX_CONFIG) == (str(caught.value), caught.value.exit_code)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("listener = 5", "listener is 5; want a list of tables"),
        ('listener = "tcp:1"', "listener is tcp:1; want a list of tables"),
        (
            "listener = [5]",
            'listener[0] is 5; want a table such as {listen = "tcp:65432"}',
        ),
        (
            "[[listener]]\nport = 1\n[[listener]]\nport = 70000",
            "listener[1].port is 70000; want 0 to 65535",
        ),
        (
            "[[listener]]\nprot = 1",
            "listener[0]: there is no setting prot; want port",
        ),
        (
            "[[listener]]\ntransport = 'fast'",
            "listener[0]: there is no setting transport; want port",
        ),
        (
            '[[listener]]\nclient_ca = "\\u0000"',
            "listener[0].client_ca is '\\x00'; want text",
        ),
    ],
)
def test_wrong_table_is_one_line_with_the_place(
    toml: Path, text: str, message: str
) -> None:
    """An error in a table names its place in the file."""
    toml.write_text(text)
    with pytest.raises(EchodError) as caught:
        settings({}, {}, str(toml))
    assert (f"{toml}: {message}", EX_CONFIG) == (
        str(caught.value),
        caught.value.exit_code,
    )


def test_table_says_one_way(toml: Path) -> None:
    """In a table, too, a listener stands alone."""
    toml.write_text("[[listener]]\nlisten = 'tcp:1'\nport = 1")
    with pytest.raises(EchodError) as caught:
        settings({}, {}, str(toml))
    place = f"{toml}: listener[0]"
    expected = TWO_WAYS.format(f"{place}.listen", f"{place}.port")
    assert (expected, EX_CONFIG) == (str(caught.value), caught.value.exit_code)


@pytest.mark.parametrize("other", ["port", "host", "protocols", "listen"])
def test_tables_stand_alone(toml: Path, other: str) -> None:
    """Tables replace every other way to say what to listen on."""
    toml.write_text("[[listener]]\nport = 1")
    value = {"listen": ["tcp:1"], "port": "1", "host": "", "protocols": "tcp"}[other]
    with pytest.raises(EchodError) as caught:
        settings({other: value}, {}, str(toml))
    assert (
        f"{toml}: listener replaces host, port, protocols and listen, and --{other} is "
        "there as well; want one of the two ways"
    ) == str(caught.value)
    assert EX_USAGE == caught.value.exit_code


def test_table_has_terms_of_its_own(toml: Path) -> None:
    """What a table does not say is said above it, or on the command line."""
    toml.write_text(
        "idle_timeout = 5\nproxy_timeout = 1\n"
        "[[listener]]\nport = 1\nidle_timeout = 7\n"
        '[[listener]]\nlisten = "udp:2"\n'
    )
    read = settings({"proxy_timeout": "2"}, {}, str(toml))
    first, second = read.places
    assert (7.0, 2.0) == (first.idle_timeout, first.proxy_timeout)
    assert (5.0, 2.0) == (second.idle_timeout, second.proxy_timeout)
    assert ["tcp:1:interface=127.0.0.1", "udp:1:interface=127.0.0.1"] == [
        str(it) for it in first.listeners
    ]
    assert ["udp:2"] == [str(it) for it in second.listeners]
    assert read.listeners == (*first.listeners, *second.listeners)


@pytest.mark.parametrize(
    ("arguments", "variables", "message", "code"),
    [
        ({"port": "x!"}, {}, "--port is x!; " + WANTED_PORT, EX_USAGE),
        ({}, {"ECHOD_PORT": "x!"}, "ECHOD_PORT is x!; " + WANTED_PORT, EX_CONFIG),
        (
            {"listen": ["tcp:"]},
            {},
            "--listen tcp:: port is ''; want 0 to 65535, or the name of a service",
            EX_USAGE,
        ),
        (
            {},
            {"ECHOD_PRT": "1"},
            "there is no setting ECHOD_PRT; want " + ", ".join(VARIABLES),
            EX_CONFIG,
        ),
        (
            {"port": "1"},
            {"ECHOD_LISTEN": "tcp:1"},
            TWO_WAYS.format("ECHOD_LISTEN", "--port"),
            EX_USAGE,
        ),
    ],
)
def test_wrong_word_is_one_line_with_the_place(
    arguments: dict[str, object], variables: dict[str, str], message: str, code: int
) -> None:
    """An error on the command line is wrong usage, one in the environment is not."""
    with pytest.raises(EchodError) as caught:
        settings(arguments, variables)
    assert (message, code) == (str(caught.value), caught.value.exit_code)


def test_every_knob_can_be_set_everywhere() -> None:
    """Each knob has an option, a variable and a key of the same name."""
    for knob in knobs():
        assert flag(knob.name) == "--" + knob.name.replace("_", "-")
        assert variable(knob.name) == "ECHOD_" + knob.name.upper()
    keys = tomllib.loads(document(Settings()).replace("# listen", "listen"))
    assert [it.name for it in knobs() if it.name not in IN_FILE_ONLY] == list(keys)
