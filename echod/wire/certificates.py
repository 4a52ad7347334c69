"""Which files prove who a server is."""

from attrs import frozen

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
