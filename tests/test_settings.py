from typing import Any

import attrs
import pytest

from echod import EchodError, Listener, Settings
from echod.settings import knobs


def test_values_are_read_in_every_form() -> None:
    """An embedding program may give text, numbers or listeners."""
    text = Settings(listen=["tcp:0", "udp:0"], log_connections=False)
    values = Settings(
        listen=(
            Listener(protocol="tcp", host="", port=0),
            Listener(protocol="udp", host="", port=0),
        ),
        log_connections=False,
    )
    assert values == text


def test_settings_are_frozen() -> None:
    """Settings cannot change under a running service."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        Settings().port = 7  # type: ignore[misc]


def test_both_ways_at_once_are_refused() -> None:
    """Listeners stand alone, also where a program gives it."""
    with pytest.raises(EchodError, match="listen replaces host"):
        Settings(listen=["tcp:1"], port=7)


def test_tables_stand_alone() -> None:
    """So do tables."""
    with pytest.raises(EchodError, match="listener replaces host"):
        Settings(listener=[{"port": 1}], listen="tcp:1")


def test_tables_may_come_from_a_program() -> None:
    """A table may be a mapping, or what another one was made of."""
    first = Settings(listener=[{"port": 1, "idle_timeout": "5"}])
    again = Settings(listener=first.listener)
    assert first == again
    assert [5.0] == [it.idle_timeout for it in again.places]
    assert ["tcp:1:interface=127.0.0.1", "udp:1:interface=127.0.0.1"] == [
        str(it) for it in again.listeners
    ]


def test_wrong_value_is_a_value_error() -> None:
    """A program that gives a wrong value gets Python's own kind of error."""
    with pytest.raises(ValueError, match="port is 70000; want 0 to 65535"):
        Settings(port=70_000)


def test_every_knob_explains_itself() -> None:
    """Each knob has a meaning of a sentence, and the form of its value."""
    for knob in knobs():
        assert str(knob.metadata["meaning"]).endswith(".")
        assert str(knob.metadata["form"]).isupper()


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(0, 0.0), ("0", 0.0), (300, 300.0), ("2.5", 2.5), (1e-3, 0.001), ("3e2", 300.0)],
)
def test_idle_timeout_is_seconds(given: Any, seconds: float) -> None:
    """A length of time is a number, with a fraction or without, or its text."""
    assert seconds == Settings(idle_timeout=given).idle_timeout
    assert isinstance(Settings(idle_timeout=given).idle_timeout, float)


@pytest.mark.parametrize(
    "wrong",
    ["", "5m", "nan", "inf", -1, "-0.1", True, None, [5], 10**400, 366 * 86_400 + 1],
    ids=lambda wrong: repr(wrong)[:10],
)
def test_idle_timeout_has_bounds(wrong: Any) -> None:
    """What is no number of seconds, or more than a year of them, is refused."""
    with pytest.raises(EchodError, match=r" is .*; want seconds, 0 to 31622400$"):
        Settings(idle_timeout=wrong)


def test_transport_is_one_of_three() -> None:
    """The transport is automatic, unless one of two is asked for."""
    assert "auto" == Settings().transport
    for name in ("auto", "fast", "stock"):
        assert name == Settings(transport=name).transport


@pytest.mark.parametrize("wrong", ["FAST", "", "epoll", None, 1, ["fast"]])
def test_other_transports_are_refused(wrong: Any) -> None:
    """There is no other transport, and none by another spelling."""
    with pytest.raises(EchodError, match=r"; want auto, fast or stock$"):
        Settings(transport=wrong)
