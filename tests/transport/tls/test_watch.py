"""PEM files that change."""

import os
from pathlib import Path

import pytest

from echod.errors import ConfigError
from echod.transport.tls import watch
from echod.transport.tls.pem import PemFile, parse, read
from echod.transport.tls.watch import Watch

from ...support.authority import issue, key_pem

#: Three that are equally long.
ONE, TWO, THREE = (issue(it).key_pem for it in "abc")


class Files:
    """A watch over some files, and how often they were read and parsed."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = folder / "a"
        self.path.write_bytes(ONE)
        self.reads = self.parses = 0
        self.names = [str(self.path)]
        self.watch = Watch(self._find)
        monkeypatch.setattr(watch, "read", self._read)
        monkeypatch.setattr(watch, "parse", self._parse)

    def _find(self) -> list[str]:
        if not self.names:
            raise ConfigError("nothing there")
        return self.names

    def _read(self, path: str) -> bytes:
        self.reads += 1
        return read(path)

    def _parse(self, path: str, data: bytes) -> PemFile:
        self.parses += 1
        return parse(path, data)

    def settle(self) -> None:
        """Look until the files are no longer read."""
        assert self.watch.look()
        assert [False] * 3 == [self.watch.look() for _ in range(3)]
        self.watch.files()
        self.reads = self.parses = 0

    def there(self) -> list[int]:
        """Which keys are in the files: 1, 2 and 3."""
        return [
            1 + (ONE, TWO, THREE).index(key_pem(key))
            for file in self.watch.files().values()
            for key in file.keys
        ]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    return Files(tmp_path, monkeypatch)


def test_first_look(files: Files) -> None:
    """What is there at first is new."""
    assert files.watch.look()
    assert [str(files.path)] == [*files.watch.files()]
    assert [1] == files.there()


def test_unchanged_files_are_read_twice(files: Files) -> None:
    """A second read sees a change in the same tick of the clock; then stat will do."""
    assert [True, False, False, False] == [files.watch.look() for _ in range(4)]
    assert 2 == files.reads


def test_two_changes_in_one_tick(files: Files) -> None:
    """A change that left no stamp is found at the next look all the same."""
    assert files.watch.look()
    before = files.path.stat()
    files.path.write_bytes(TWO)
    os.utime(files.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert files.watch.look()
    assert [2] == files.there()


@pytest.mark.parametrize(("data", "keys"), [(TWO, [2]), (TWO + THREE, [2, 3])])
def test_change(data: bytes, keys: list[int], files: Files) -> None:
    """A file that is written anew is found."""
    files.settle()
    files.path.write_bytes(data)
    os.utime(files.path, ns=(0, 1))
    assert [True, False] == [files.watch.look(), files.watch.look()]
    assert keys == files.there()


def test_another_file_of_the_name(files: Files) -> None:
    """A file that takes the place of another is found, however old it is."""
    files.settle()
    other = files.path.with_name("b")
    other.write_bytes(TWO)
    before = files.path.stat()
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(files.path)
    assert files.watch.look()


def test_touched(files: Files) -> None:
    """A file with the same in it as before has not changed."""
    files.settle()
    os.utime(files.path, ns=(0, 1))
    assert not files.watch.look()
    assert 1 == files.reads


def test_more_files(files: Files) -> None:
    """A file that joins the others is a change, and so is one that leaves."""
    files.settle()
    other = files.path.with_name("b")
    other.write_bytes(TWO)
    files.names.append(str(other))
    assert files.watch.look()
    files.watch.files()
    assert 1 == files.parses  # The first is as it was.
    assert [1, 2] == files.there()
    files.names.pop()
    assert files.watch.look()
    assert [1] == files.there()


def test_file_goes_and_comes(files: Files) -> None:
    """That a file is gone is told once, and that it is back."""
    files.settle()
    files.path.unlink()
    assert [True, False, False] == [files.watch.look() for _ in range(3)]
    with pytest.raises(ConfigError, match="no such file"):
        files.watch.files()
    files.path.write_bytes(ONE)
    assert [True, False] == [files.watch.look(), files.watch.look()]
    assert [1] == files.there()


def test_folder_goes(files: Files) -> None:
    """That nobody knows which files is told once, too."""
    files.settle()
    files.names = []
    assert [True, False] == [files.watch.look(), files.watch.look()]
    with pytest.raises(ConfigError, match="nothing there"):
        files.watch.files()


def test_no_pem(files: Files) -> None:
    """A file that is no PEM has changed; what it is is told when it is asked for."""
    files.settle()
    files.path.write_bytes(b"-----BEGIN PRIVATE KEY-----")
    assert files.watch.look()
    with pytest.raises(ConfigError, match="ends in the middle of"):
        files.watch.files()


def test_impossible_name(files: Files) -> None:
    """A name that no file can have is an error like any other."""
    files.names = ["a\0b"]
    assert files.watch.look()
    with pytest.raises(ConfigError, match="embedded null byte"):
        files.watch.files()


def test_rights_change(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may be read again is, though it has the same stamp."""
    files.watch.look()

    def refuse(_path: str) -> bytes:
        raise ConfigError("permission denied")

    monkeypatch.setattr(watch, "read", refuse)
    assert [True, False, False] == [files.watch.look() for _ in range(3)]
    monkeypatch.setattr(watch, "read", read)
    assert files.watch.look()
    assert [1] == files.there()
