"""The names that a certificate is for."""

from attrs import frozen
from cryptography import x509

from ...errors import shown

# A certificate may have a hundred names; a line of the log should not.
_MOST_SHOWN = 5


@frozen(kw_only=True)
class Names:
    """
    The subjectAltName of a certificate.

    The subject's common name is not among them: it has not counted since RFC 6125.

    Args:
        hosts: DNS names in lower case; the first label of one may be ``*``.
        addresses: IP addresses as text.
        emails: e-mail addresses.
        uris: URIs.
    """

    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()

    def __str__(self) -> str:
        """All of them, or the first and how many more, safe in one line."""
        every = [*self.hosts, *self.addresses, *self.emails, *self.uris]
        if not every:
            return "no name"
        text = shown(", ".join(every[:_MOST_SHOWN]))
        more = len(every) - _MOST_SHOWN
        return f"{text} and {more} more" if more > 0 else text


def names(certificate: x509.Certificate) -> Names:
    """
    Returns:
        Those of ``certificate``.

    Raises:
        ValueError: it makes no sense.
    """
    try:
        found = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        ).value
    except x509.ExtensionNotFound:
        return Names()
    except Exception as error:
        # The parser has several ways to say it.
        raise ValueError(str(error)) from error
    return Names(
        hosts=tuple(it.lower() for it in found.get_values_for_type(x509.DNSName)),
        addresses=tuple(map(str, found.get_values_for_type(x509.IPAddress))),
        emails=tuple(found.get_values_for_type(x509.RFC822Name)),
        uris=tuple(found.get_values_for_type(x509.UniformResourceIdentifier)),
    )
