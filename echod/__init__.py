"""
echod: an echo service that returns every byte, and the client that goes with it.

The names below are the public API; each is imported when it is first used, so
``import echod`` costs nothing and touches nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .echo.datagram import EchoDatagramProtocol
    from .echo.factory import EchoFactory
    from .echo.protocol import EchoProtocol
    from .errors import EchodError
    from .service import EchoService, make_service
    from .settings import Settings
    from .transport.batched.port import BatchedDatagramPort
    from .transport.datagram import DatagramPort
    from .transport.nested import NestedReactor
    from .wire.listener import Listener

__version__ = "0.1.0"

_HOMES = {
    "BatchedDatagramPort": "transport.batched.port",
    "DatagramPort": "transport.datagram",
    "EchoDatagramProtocol": "echo.datagram",
    "EchoFactory": "echo.factory",
    "EchoProtocol": "echo.protocol",
    "EchoService": "service",
    "EchodError": "errors",
    "Listener": "wire.listener",
    "NestedReactor": "transport.nested",
    "Settings": "settings",
    "make_service": "service",
}

__all__ = [
    "BatchedDatagramPort",
    "DatagramPort",
    "EchoDatagramProtocol",
    "EchoFactory",
    "EchoProtocol",
    "EchoService",
    "EchodError",
    "Listener",
    "NestedReactor",
    "Settings",
    "make_service",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
