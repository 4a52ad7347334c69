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


def test_wrong_value_is_a_value_error() -> None:
    """A program that gives a wrong value gets Python's own kind of error."""
    with pytest.raises(ValueError, match="port is 70000; want 0 to 65535"):
        Settings(port=70_000)


def test_every_knob_explains_itself() -> None:
    """Each knob has a meaning of a sentence, and the form of its value."""
    for knob in knobs():
        assert str(knob.metadata["meaning"]).endswith(".")
        assert str(knob.metadata["form"]).isupper()
