"""toxiproxy: the server, built from its pinned source, and its HTTP API.

A link is a proxy: clients connect to its port instead of their server's.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import httpx
import psutil  # type: ignore[import-untyped] # it ships no types

from sandbox.supervision.ports import HOST
from sandbox.supervision.processes import Command
from tests.chaos.stack.topology import TOXIPROXY
from tests.golang import Module

MODULE: Final = Module(
    "github.com/Shopify/toxiproxy/v2",
    "v2.12.0",
    "h1:d1x++lYZg/zijXPPcv7PH0MvHMzEI5aX/YuUi/Sw+yg=",
)
RECEIVED: Final = "toxiproxy_proxy_received_bytes_total"
Connection = tuple[int, int]


def built() -> Path:
    """Builds the server and returns its path. Raises SandboxError and DownloadError."""
    return MODULE.program(TOXIPROXY, "./cmd/server")


def command(program: Path, port: int, seed: int) -> Command:
    """The server's command, with its API on a port."""
    flags = ("-host", HOST, "-port", str(port), "-seed", str(seed), "-proxy-metrics")
    return Command(TOXIPROXY, (str(program), *flags), environment={"LOG_LEVEL": "warn"})


class Links:
    """Controls every link by its name. An async context manager.

    Args:
        ports: the port of each link, by its name, and of the API.
        pid: returns the server's process ID.
    """

    def __init__(self, ports: Mapping[str, int], pid: Callable[[], int | None]) -> None:
        api = f"http://{HOST}:{ports[TOXIPROXY]}"
        self._http = httpx.AsyncClient(base_url=api, timeout=10.0)
        self._listening = ports
        self._pid = pid
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._http.aclose()

    async def open(self, targets: Mapping[str, int]) -> None:
        """Creates every link to its target port. Raises httpx.HTTPError."""
        proxies = [
            {"name": name, "listen": f"{HOST}:{self._listening[name]}",
             "upstream": f"{HOST}:{port}", "enabled": True}
            for name, port in targets.items()
        ]  # fmt: skip
        (await self._http.post("/populate", json=proxies)).raise_for_status()

    async def add_toxic(
        self, link: str, toxic: str, stream: str, attributes: Mapping[str, Any]
    ) -> str:
        """Puts a toxic on a link's stream; returns the toxic's name."""
        name = f"{toxic} {next(self._numbers)}"
        body = {"name": name, "type": toxic, "stream": stream, "attributes": dict(attributes)}
        (await self._http.post(f"/proxies/{link}/toxics", json=body)).raise_for_status()
        return name

    async def remove_toxic(self, link: str, name: str) -> None:
        """Removes a toxic."""
        (await self._http.delete(f"/proxies/{link}/toxics/{name}")).raise_for_status()

    async def disable(self, link: str) -> None:
        """Closes a link's connections and refuses new ones."""
        response = await self._http.post(f"/proxies/{link}", json={"enabled": False})
        response.raise_for_status()

    async def enable(self, link: str) -> None:
        """Accepts connections again."""
        response = await self._http.post(f"/proxies/{link}", json={"enabled": True})
        response.raise_for_status()

    async def reset(self) -> None:
        """Removes every toxic and restores every link."""
        (await self._http.post("/reset")).raise_for_status()

    async def received(self, links: Sequence[str]) -> int:
        """Bytes that these links have received, from either side."""
        text = (await self._http.get("/metrics")).raise_for_status().text
        labels = {f'proxy="{link}"' for link in links}
        return round(sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith(RECEIVED) and any(label in line for label in labels)
        ))  # fmt: skip

    def connections(self, links: Sequence[str]) -> set[Connection]:
        """The open connections of these links, as pairs of the link's and the client's port."""
        ports = {self._listening[link] for link in links}
        return {
            (found.laddr.port, found.raddr.port)
            for found in psutil.Process(self._pid()).net_connections(kind="tcp4")
            if found.status == psutil.CONN_ESTABLISHED and found.laddr.port in ports
        }
