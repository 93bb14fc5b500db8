"""Headless Chromium renders the documentation page with every operation and contacts no other host.

Run by ``make browser``, where a ``chromium`` is installed.
"""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from pydantic import SecretStr

from ingress.database import Database
from ingress.metrics import Metrics
from sandbox.supervision.ports import HOST, free_ports
from tests.ingress.harness import NOWHERE, Log, application

BROWSER = "chromium"
STARTED_WITHIN_S = 20.0
SHOWN_WITHIN_S = 120.0


@pytest.fixture
def address() -> Iterator[str]:
    """The URL of the documentation page of a running ingress."""
    (port,) = free_ports(1)
    app = application(Log(), Database(SecretStr(NOWHERE)), Metrics())
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"http://{HOST}:{port}/docs"
    finally:
        server.should_exit = True
        thread.join()


def requested_urls(net_log: Path) -> set[str]:
    """Returns the URL of every request that the page made, read from the browser's network log.

    The browser's own requests, such as updates, have another network isolation key.
    """
    events = [event.get("params", {}) for event in json.loads(net_log.read_text())["events"]]
    page_site = f"http://{HOST}"
    return {
        event["url"] for event in events
        if "url" in event and event.get("network_isolation_key", "").startswith(page_site)
    }  # fmt: skip


def test_the_page_loads_without_any_other_host(address: str, tmp_path: Path) -> None:
    """The page shows every path although this browser resolves no other host name."""
    net_log = tmp_path / "net.json"
    done = subprocess.run(  # noqa: S603  # a fixed command
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--disable-extensions",
            f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}",
            f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={net_log}",
            "--virtual-time-budget=20000", "--dump-dom", address,
        ],
        capture_output=True, text=True, check=True, timeout=SHOWN_WITHIN_S,
    )  # fmt: skip
    for shown in ("/v1/payments", "/v1/payments/{id}/refunds", "/webhooks/{provider}"):
        assert f'data-path="{shown}"' in done.stdout, done.stdout[-2000:]
    assert "Failed to load" not in done.stdout
    requests = requested_urls(net_log)
    assert {urlsplit(url).netloc for url in requests} == {urlsplit(address).netloc}
    assert {urlsplit(url).path for url in requests} >= {"/docs", "/openapi.json"}
