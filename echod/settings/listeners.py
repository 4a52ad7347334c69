"""The knobs of listeners: where they are, and the terms on which they serve."""

from collections.abc import Sequence
from typing import Literal, cast, get_args

from attrs import field, fields, frozen

from ..errors import BadValue
from ..policy.networks import Networks, networks
from ..wire import address, form, listener
from ..wire.address import Ports
from ..wire.listener import PROTOCOLS, AnyListener, Listener, Protocol
from .knob import knob, two_ways

TlsProfile = Literal["intermediate", "modern"]
TlsMinimum = Literal["1.2", "1.3"]
ClientCertificates = Literal["off", "optional", "required"]

# A form takes a value as it was written and the name under which it was given; it
# returns the value, or raises BadValue. See ``wire.form``.


def protocols(
    value: str | Sequence[str], what: str = "protocols"
) -> tuple[Protocol, ...]:
    """The form of a choice among ``tcp`` and ``udp``: a list, or text with commas."""
    chosen = form.several(value, what, f"a choice of {', '.join(PROTOCOLS)}")
    for name in chosen:
        if name not in PROTOCOLS or chosen.count(name) > 1:
            raise BadValue(what, name, f"each of {', '.join(PROTOCOLS)} at most once")
    return cast("tuple[Protocol, ...]", tuple(chosen))


def listeners(
    value: str | Sequence[str | AnyListener], what: str = "listen"
) -> tuple[AnyListener, ...]:
    """The form of a list of endpoint descriptions; one may stand alone."""
    one = (value,) if isinstance(value, str) else value
    if not isinstance(one, Sequence):
        raise BadValue(what, value, "a list of descriptions such as tcp:65432")
    return tuple(
        item if isinstance(item, AnyListener) else listener.listener(item, what)
        for item in one
    )


def tls_profile(value: str, what: str = "tls_profile") -> TlsProfile:
    """The form of a choice of TLS configurations."""
    return cast("TlsProfile", form.one_of(value, what, get_args(TlsProfile)))


def tls_minimum(value: str, what: str = "tls_minimum") -> TlsMinimum:
    """The form of a choice of versions of TLS."""
    return cast("TlsMinimum", form.one_of(value, what, get_args(TlsMinimum)))


def client_certificates(
    value: str, what: str = "client_certificates"
) -> ClientCertificates:
    """The form of what is asked of TLS clients."""
    chosen = form.one_of(value, what, get_args(ClientCertificates))
    return cast("ClientCertificates", chosen)


#: The knobs that ``listen`` replaces.
SHORT_FORM = ("host", "port", "protocols")

#: The knobs that ``listener`` replaces.
PLACES = (*SHORT_FORM, "listen")


@frozen(kw_only=True)
class ListenerSettings:
    """
    What to listen on, and the terms that hold for those who come in there.

    A value may be given in any form that the command line or the file takes.

    Raises:
        BadValue: a value is not of its knob's form.
        UsageError: ``listen`` stands beside ``host``, ``port`` or ``protocols``.
    """

    host: str = field(
        default="127.0.0.1",
        converter=address.host,
        metadata=knob(
            "Address or name of this host to listen on; empty for every address, IPv4 "
            "and IPv6.",
            "ADDRESS",
        ),
    )
    port: Ports = field(
        default=65432,
        converter=address.ports,
        metadata=knob(
            "Port to listen on, 0 to 65535, or the name of a service; 0 lets the "
            "system choose. Or several: 65432,65440-65449.",
            "PORT",
        ),
    )
    protocols: tuple[Protocol, ...] = field(
        default=PROTOCOLS,
        converter=protocols,
        metadata=knob("What to serve: tcp, udp, or both.", "LIST"),
    )
    listen: tuple[AnyListener, ...] = field(
        default=(),
        converter=listeners,
        metadata=knob(
            "Instead of host, port and protocols: a listener such as "
            "tcp:65432:interface=127.0.0.1, udp:65432, unix:PATH, unixgram:PATH, "
            "ssl:PORT:privateKey=FILE:certKey=FILE, tls:FOLDER:PORT, systemd:name=NAME "
            "or any of Twisted's server endpoint descriptions. May be given several "
            "times.",
            "DESCRIPTION",
            repeatable=True,
        ),
    )
    idle_timeout: float = field(
        default=300.0,
        converter=form.seconds,
        metadata=knob(
            "Seconds after which a connection ends on which nothing has come in and "
            "nothing owed has gone out; 0 for never.",
            "SECONDS",
        ),
    )
    proxy_protocol: bool = field(
        default=False,
        converter=form.yes_or_no,
        metadata=knob(
            "Whether each connection begins with a header of the PROXY protocol, "
            "version 1 or 2, that says who is at the other end: yes or no.",
            "YES|NO",
        ),
    )
    proxy_from: Networks = field(
        default=networks("127.0.0.0/8,::1"),
        converter=networks,
        metadata=knob(
            "The networks whose PROXY headers are believed; others are refused. "
            "Addresses and networks with commas between them.",
            "NETWORKS",
        ),
    )
    proxy_timeout: float = field(
        default=5.0,
        converter=form.seconds,
        metadata=knob(
            "Seconds within which a PROXY header must be there; 0 for no limit.",
            "SECONDS",
        ),
    )
    tls_profile: TlsProfile = field(
        default="intermediate",
        converter=tls_profile,
        metadata=knob(
            "Which of Mozilla's TLS configurations holds: intermediate (TLS 1.2 and "
            "1.3) or modern (1.3).",
            "PROFILE",
        ),
    )
    tls_minimum: TlsMinimum = field(
        default="1.2",
        converter=tls_minimum,
        metadata=knob(
            "The oldest version of TLS that is spoken: 1.2 or 1.3.", "VERSION"
        ),
    )
    handshake_timeout: float = field(
        default=10.0,
        converter=form.seconds,
        metadata=knob(
            "Seconds that a TLS handshake may take; 0 for no limit.", "SECONDS"
        ),
    )
    client_certificates: ClientCertificates = field(
        default="off",
        converter=client_certificates,
        metadata=knob(
            "Whether TLS clients are asked for a certificate: off, optional or "
            "required.",
            "KIND",
        ),
    )
    client_ca: str = field(
        default="",
        converter=form.text,
        metadata=knob(
            "The authorities that sign the certificates of clients, a PEM file.", "FILE"
        ),
    )
    client_names: tuple[str, ...] = field(
        default=(),
        converter=form.texts,
        metadata=knob(
            "The names that are accepted in certificates of clients, with commas "
            "between them; empty for all.",
            "NAMES",
        ),
    )

    def __attrs_post_init__(self) -> None:
        changed = [name for name in SHORT_FORM if self._is_changed(name)]
        if self.listen and changed:
            raise two_ways("listen", SHORT_FORM, changed[0])

    def _is_changed(self, name: str) -> bool:
        default = getattr(fields(ListenerSettings), name).default
        return bool(getattr(self, name) != default)

    @property
    def listeners(self) -> tuple[AnyListener, ...]:
        """What to listen on, however it was said."""
        return self.listen or tuple(
            Listener(protocol=protocol, host=self.host, port=self.port)
            for protocol in self.protocols
        )
