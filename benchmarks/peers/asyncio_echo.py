"""An echo over TCP and UDP with asyncio's protocols. Usage: PORT [uvloop]."""

import asyncio
import importlib
import sys
from typing import Any


class Echo(asyncio.Protocol):
    """As in asyncio's documentation, "TCP Echo Server"."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class EchoUDP(asyncio.DatagramProtocol):
    """As in asyncio's documentation, "UDP Echo Server"."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


async def main(port: int) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(EchoUDP, local_addr=("127.0.0.1", port))
    server = await loop.create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


name = "uvloop" if "uvloop" in sys.argv else "asyncio"
importlib.import_module(name).run(main(int(sys.argv[1])))
