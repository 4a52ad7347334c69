"""
The settings: every knob of echod declared once, with its default, form and help.

The options of ``twistd echod`` and ``echod serve``, the keys of the configuration
file, the ``ECHOD_*`` variables and the reference in the documentation are all
derived from the fields of ``Settings``.
"""

from .listeners import PLACES, SHORT_FORM, ListenerSettings
from .service import Settings, Transport, knobs
from .table import ListenerTable

__all__ = [
    "PLACES",
    "SHORT_FORM",
    "ListenerSettings",
    "ListenerTable",
    "Settings",
    "Transport",
    "knobs",
]
