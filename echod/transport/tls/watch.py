"""PEM files that others change while the service runs."""

from collections.abc import Callable
from pathlib import Path

from ...errors import ConfigError
from .pem import PemFile, parse, read

_Stamp = tuple[str, int, int, int]


class Watch:
    """
    What is in some PEM files, and whether it is other than it was.

    To find out costs one stat(2) a file. Only where that shows a change are the files
    read; and once more at the next look, because two changes within a tick of the file
    system's clock can look like one.

    Args:
        find: the names of the files; asked each time. May raise ConfigError.
    """

    def __init__(self, find: Callable[[], list[str]]) -> None:
        self._find = find
        self._stamps: list[_Stamp] = []
        self._is_settled = False
        self._held: dict[str, bytes] | str = {}
        self._parsed: dict[str, tuple[bytes, PemFile]] = {}

    def look(self) -> bool:
        """Whether there is something else in the files than at the last look."""
        held: dict[str, bytes] | str
        try:
            paths = self._find()
            stamps = [_stamp(path) for path in paths]
            if self._is_settled and stamps == self._stamps:
                return False
            self._is_settled = stamps == self._stamps
            self._stamps = stamps
            held = {path: read(path) for path in paths}
        except ConfigError as error:
            self._is_settled = False  # A change of rights, say, leaves no stamp.
            held = str(error)
        is_other = held != self._held
        self._held = held
        return is_other

    def files(self) -> dict[str, PemFile]:
        """
        Returns:
            What was in the files at the last look, by their names. Only what has
            changed is parsed: an RSA key of 2048 bits takes 30 ms, of 4096 230 ms.

        Raises:
            ConfigError: one of them could not be read, or is no PEM.
        """
        if isinstance(self._held, str):
            raise ConfigError(self._held)
        parsed = {}
        for path, data in self._held.items():
            before, file = self._parsed.get(path, (b"", None))
            parsed[path] = data, file if file and before == data else parse(path, data)
        self._parsed = parsed
        return {path: file for path, (_, file) in parsed.items()}


def _stamp(path: str) -> _Stamp:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):  # ValueError: a NUL in the name.
        return path, -1, -1, -1
    return path, found.st_mtime_ns, found.st_size, found.st_ino
