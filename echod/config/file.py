"""The configuration file: TOML, one key a knob."""

import tomllib
from pathlib import Path

from ..errors import ConfigError, explain, shown
from ..settings import knobs
from ..settings.knob import no_setting
from .given import Given, Layer


def read(path: str) -> Layer:
    """
    Args:
        path: a TOML file.

    Returns:
        What the file gives.

    Raises:
        ConfigError: it cannot be read, is not TOML, or has a key that is no knob.
    """
    where = shown(path)
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{where}: {explain(error)}; want a configuration file that can be read"
        raise ConfigError(msg) from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, UnicodeDecodeError
        msg = f"{where}: {shown(error)}; want TOML in UTF-8"
        raise ConfigError(msg) from error
    names = [knob.name for knob in knobs()]
    for key in document:
        if key not in names:
            raise ConfigError(str(no_setting(key, names, where)))
    return {key: Given(f"{where}: {key}", value) for key, value in document.items()}
