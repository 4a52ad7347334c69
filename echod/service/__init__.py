"""Settings to a running service."""

from .service import EchoService, make_service

__all__ = ["EchoService", "make_service"]
