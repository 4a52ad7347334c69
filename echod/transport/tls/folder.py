"""
A folder of certificates, as Twisted's ``tls:`` endpoint has it.

As there, files end in ``.pem`` and may lie in folders within the folder, a certificate
is found by its key, and its names are those in it, not the file's. Unlike there, a
folder that nobody can be served from is an error, and so is one in which two
certificates are for one name; the first file by name, and not by chance, is for those
who ask for none; hidden files do not count.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cryptography import x509

from ...errors import ConfigError, explain, shown
from .credential import Credential, credential, public_bytes
from .pem import PemFile

# One look at so many takes 10 ms, once a second. Who has more of them has named
# another folder than was meant, / perhaps.
MAX_FILES = 1000

_WANTED = "a folder of .pem files, each with a key and its certificate"


def paths(folder: str) -> list[str]:
    """
    Returns:
        The names of the files in it that count, sorted; at least one.

    Raises:
        ConfigError: there are none, or it cannot be read.
    """
    found: list[str] = []
    try:
        for path in _walk(folder):
            found.append(path)
            if len(found) > MAX_FILES:
                msg = f"{shown(folder)} has over {MAX_FILES} .pem files; want fewer"
                raise ConfigError(msg)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name.
        msg = f"{shown(folder)} cannot be read: {explain(error)}; want {_WANTED}"
        raise ConfigError(msg) from error
    if not found:
        raise ConfigError(f"{shown(folder)} has no .pem file in it; want {_WANTED}")
    return sorted(found)


def _walk(folder: str) -> Iterator[str]:
    def fail(error: OSError) -> None:
        raise error

    for place, folders, files in os.walk(folder, onerror=fail):
        folders[:] = (it for it in folders if not it.startswith("."))
        for name in files:
            if name.endswith(".pem") and not name.startswith("."):
                yield str(Path(place, name))


def match(folder: str, files: Sequence[PemFile]) -> tuple[Credential, ...]:
    """
    Args:
        folder: its name.
        files: what is in it, sorted by name.

    Returns:
        Each certificate that a key in the folder is for, with that key.

    Raises:
        ConfigError: there are none, a key or a certificate is alone, or two
            certificates are for one name.
    """
    keys = {public_bytes(key): key for file in files for key in file.keys}
    issuers = _Issuers(files)
    found: dict[x509.Certificate, Credential] = {}
    for file in files:
        for certificate in file.certificates:
            key = keys.get(public_bytes(certificate))
            if key is None:
                _reject_alone(file, certificate)
            elif certificate not in found:
                chain = issuers.chain(certificate)
                found[certificate] = credential(file.path, key, certificate, chain)
    proven = {public_bytes(certificate) for certificate in found}
    for file in files:
        if any(public_bytes(key) not in proven for key in file.keys):
            msg = f"{file.place} has a key whose certificate is not in the folder"
            raise ConfigError(f"{msg}; want both")
    if not found:
        raise ConfigError(f"{shown(folder)} has no key in it; want {_WANTED}")
    _reject_two_for_one_name(found.values())
    return tuple(found.values())


def _reject_alone(file: PemFile, certificate: x509.Certificate) -> None:
    if not _is_authority(certificate):
        msg = f"{file.place} has a certificate whose key is not in the folder"
        raise ConfigError(f"{msg}; want both")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except Exception:  # noqa: BLE001 - it is absent, or what is there makes no sense
        return False
    return found.value.ca


def _reject_two_for_one_name(credentials: Iterable[Credential]) -> None:
    first: dict[str, Credential] = {}
    for it in credentials:
        for name in it.names.hosts:
            other = first.setdefault(name, it)
            if other is not it:
                both = f"{shown(other.path)} and {shown(it.path)}"
                wanted = "one certificate for a name"
                raise ConfigError(f"{both} are both for {shown(name)}; want {wanted}")


class _Issuers:
    """Who has signed whom, of the certificates in some files."""

    def __init__(self, files: Sequence[PemFile]) -> None:
        self._beside: dict[x509.Certificate, list[x509.Certificate]] = {}
        # A thousand files may have the same issuer in them.
        self._called: dict[x509.Name, dict[x509.Certificate, None]] = {}
        for file in files:
            for it in file.certificates:
                self._beside.setdefault(it, []).extend(file.certificates)
                self._called.setdefault(it.subject, {})[it] = None

    def chain(self, leaf: x509.Certificate) -> Iterator[x509.Certificate]:
        """The way to an authority, over what stands beside ``leaf`` if it can."""
        seen = {leaf}
        last = leaf
        while True:
            there = [*self._beside[leaf], *self._called.get(last.issuer, ())]
            new = (it for it in there if it not in seen)
            issuer = next((it for it in new if _is_issued_by(last, it)), None)
            # A root need not be sent: who trusts it has it.
            if issuer is None or issuer.subject == issuer.issuer:
                return
            yield issuer
            seen.add(issuer)  # Two authorities may have signed one another.
            last = issuer


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - it is not, in one of several ways
        return False
    return True
