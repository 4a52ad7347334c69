"""The twistd plugin: how ``twistd echod`` finds echod."""

from twisted.application.service import ServiceMaker

echod = ServiceMaker(
    "echod",
    "echod.tap",
    "An echo service that returns every byte, over TCP and UDP.",
    "echod",
)
