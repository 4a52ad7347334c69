"""What files of certificates and keys come to."""

from collections.abc import Mapping

from ...errors import ConfigError
from ...wire.certificates import Certificates, KeyPair
from . import folder
from .credential import Credential, credential, proves
from .pem import PemFile

#: PEM files by their names.
Files = Mapping[str, PemFile]


def paths(certificates: Certificates) -> list[str]:
    """
    Returns:
        The names of the files that ``load`` needs.

    Raises:
        ConfigError: their folder has none, or cannot be read.
    """
    if not isinstance(certificates, KeyPair):
        return folder.paths(certificates.path)
    given = [certificates.private_key, certificates.certificate]
    if certificates.chain:
        given.append(certificates.chain)
    return [*dict.fromkeys(given)]


def load(certificates: Certificates, files: Files) -> tuple[Credential, ...]:
    """
    Args:
        certificates: where they are.
        files: those that ``paths`` named.

    Returns:
        At least one; the first is for those who ask for no name, or another.

    Raises:
        ConfigError: they are not what is wanted, or do not belong together.
    """
    if isinstance(certificates, KeyPair):
        return (_pair(certificates, files),)
    return folder.match(certificates.path, [files[it] for it in sorted(files)])


def _pair(pair: KeyPair, files: Files) -> Credential:
    keys = files[pair.private_key]
    if len(keys.keys) != 1:
        msg = f"{keys.place} has {len(keys.keys)} private keys in it; want one"
        raise ConfigError(msg)
    file = _with_certificates(files[pair.certificate])
    certificate, *chain = file.certificates
    if pair.chain:
        chain += _with_certificates(files[pair.chain]).certificates
    if not proves(keys.keys[0], certificate):
        what = "has, as its first certificate, one that is not for the key in"
        wanted = "the certificate and the key that belong together"
        raise ConfigError(f"{file.place} {what} {keys.place}; want {wanted}")
    return credential(file.path, keys.keys[0], certificate, chain)


def _with_certificates(file: PemFile) -> PemFile:
    if not file.certificates:
        raise ConfigError(f"{file.place} has no certificate in it; want one in PEM")
    return file


def describe(credentials: tuple[Credential, ...]) -> str:
    """
    Returns:
        In one line for whom they are, and until when.
    """
    first = min(credentials, key=lambda it: it.certificate.not_valid_after_utc)
    if len(credentials) == 1:
        return f"certificate for {first.names}, valid until {first.until}"
    others = " / ".join(str(it.names) for it in credentials[:3])
    more = len(credentials) - 3
    names = f"{others} / {more} more" if more > 0 else others
    expires = f"the first to expire on {first.until}"
    return f"{len(credentials)} certificates for {names}, {expires}"
