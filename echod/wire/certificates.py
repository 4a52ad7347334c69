"""Which files prove who a server is."""

from collections.abc import Mapping

from attrs import frozen

from ..errors import BadValue
from . import description


@frozen(kw_only=True)
class KeyPair:
    """
    One certificate for every name.

    Args:
        private_key: the file of its key, PEM.
        certificate: its file, PEM; what follows in it is the chain.
        chain: a file of the rest of the chain, PEM; empty for none.

    Its text is the arguments of a description that mean it.
    """

    private_key: str
    certificate: str
    chain: str = ""

    def __str__(self) -> str:
        text = f":privateKey={description.quote(self.private_key)}"
        if self.certificate != self.private_key:
            text += f":certKey={description.quote(self.certificate)}"
        if self.chain:
            text += f":extraCertChain={description.quote(self.chain)}"
        return text


@frozen
class Folder:
    """
    A certificate for each name that a client asks for (SNI, RFC 6066 section 3).

    Args:
        path: a folder of PEM files with keys, their certificates and the chains, as
            Twisted's ``tls:`` endpoint has them; each is for the names in it.
    """

    path: str

    def __str__(self) -> str:
        return f":certificates={description.quote(self.path)}"


Certificates = KeyPair | Folder

#: How a description names them: Twisted's arguments of ``ssl:`` and ``tls:``.
CERTIFICATE_ARGUMENTS = ("privateKey", "certKey", "extraCertChain", "certificates")


def certificates(options: Mapping[str, str], where: str) -> Certificates | None:
    """
    Args:
        options: the arguments of a description by name.
        where: the place for messages.

    Returns:
        What ``privateKey``, ``certKey`` and ``extraCertChain``, or ``certificates``,
        say; None where neither is there.

    Raises:
        BadValue: a file or a folder has no name, or there are both, or a certificate
            without its key.
    """
    for name in CERTIFICATE_ARGUMENTS:
        if not options.get(name, "-"):
            wanted = "a folder" if name == "certificates" else "a file"
            raise BadValue(f"{where} {name}", "", wanted)
    given = [it for it in CERTIFICATE_ARGUMENTS if it in options]
    if given and given[0] != "privateKey" and given != ["certificates"]:
        raise BadValue(f"{where} {given[0]}", options[given[0]], "privateKey beside it")
    if len(given) > 1 and "certificates" in given:
        raise BadValue(
            f"{where} certificates", options["certificates"], "no key beside it"
        )
    if "certificates" in options:
        return Folder(options["certificates"])
    if "privateKey" not in options:
        return None
    private_key = options["privateKey"]
    return KeyPair(
        private_key=private_key,
        certificate=options.get("certKey", private_key),
        chain=options.get("extraCertChain", ""),
    )
