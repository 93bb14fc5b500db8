"""Refunds through the real ingress, from the bytes on the socket to the published record."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn

from ingress.database import Database
from ingress.http.connections import Connections
from ingress.http.serving import uvicorn_options
from ingress.metrics import Metrics
from sandbox.supervision.ports import HOST, free_ports
from schemas.identity import payment_id
from tests.hostile.sockets.conftest import DEFAULT
from tests.hostile.sockets.test_framing import CLIENTS
from tests.ingress.harness import TENANT_KEYS, Log, application

pytestmark = pytest.mark.anyio

REFUND: Final = b'{"amount":500}'
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
JAVA: Final = """
import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.*;

public class Refund {
    public static void main(String[] arguments) throws Exception {
        byte[] body = "{\\"amount\\":500}".getBytes();
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest.BodyPublisher[] bodies = {
            HttpRequest.BodyPublishers.ofByteArray(body),
            HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body)),
        };
        for (int i = 0; i < bodies.length; i++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
                .header("Authorization", "Bearer " + arguments[1])
                .header("Idempotency-Key", "java-" + i)
                .header("Content-Type", "application/json")
                .POST(bodies[i])
                .build();
            int status = client.send(request, HttpResponse.BodyHandlers.ofString()).statusCode();
            System.out.print(status + " ");
        }
    }
}
"""


@asynccontextmanager
async def served(log: Log, database: Database) -> AsyncIterator[int]:
    """Runs the ingress with its own protocol and yields its port; it publishes to ``log``."""
    (port,) = free_ports(1)
    metrics = Metrics()
    app = application(log, database, metrics, connections=Connections(DEFAULT, metrics))
    options = {**uvicorn_options(), "log_config": None, "loop": "none"}
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, **options))
    served = asyncio.create_task(server._serve())  # serve() would replace the signal handlers
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield port
    finally:
        server.should_exit = True
        await served


@pytest.fixture
async def port(log: Log, no_database: Database) -> AsyncIterator[int]:
    """The port of a running ingress."""
    async with served(log, no_database) as port:
        yield port


async def exchange(port: int, *parts: bytes) -> tuple[int, dict[str, Any]]:
    """Sends the parts one after another; returns the status and body of the first response."""
    reader, writer = await asyncio.open_connection(HOST, port)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0.01)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(x for x in head.lower().split("\r\n") if x.startswith("content-length"))
    body = await reader.readexactly(int(length.split(":")[1]))
    writer.close()
    return int(head.split(" ")[1]), json.loads(body)


def head(more: bytes, *, key: str | None = "refund-1", authorized: bool = True) -> bytes:
    """Returns the head of a refund request without its final empty line."""
    payment = payment_id("acme", "order-1")
    lines = [f"POST /v1/payments/{payment}/refunds HTTP/1.1", f"Host: {HOST}"]
    if authorized:
        lines.append(f"Authorization: Bearer {TENANT_KEYS['acme']}")
    if key is not None:
        lines.append(f"Idempotency-Key: {key}")
    return "\r\n".join(lines).encode() + b"\r\n" + more


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("apart", [False, True])
async def test_a_refund_with_an_offer_to_upgrade_has_the_amount_that_was_sent(
    port: int, log: Log, client: bytes, *, chunked: bool, apart: bool
) -> None:
    """The body after such a head was once lost, which refunded the whole remaining amount."""
    if chunked:
        whole = head(client + CHUNKED) + b"\r\ne\r\n" + REFUND + b"\r\n0\r\n\r\n"
    else:
        whole = head(client + b"Content-Length: 14\r\n") + b"\r\n" + REFUND
    cut = whole.index(b"\r\n\r\n") + 4
    parts = (whole[:cut], whole[cut:]) if apart else (whole,)
    status, response = await exchange(port, *parts)
    assert (status, response["amount"]) == (202, 500), response
    (record,) = log.records
    assert json.loads(record.value)["amount"] == 500


@pytest.mark.parametrize(
    "framing",
    [
        b"",
        b"Content-Length: 0\r\n",
        b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    ],
)
async def test_a_refund_without_a_body_is_refused(port: int, log: Log, framing: bytes) -> None:
    """A missing body does not mean a full refund, even with an offer to upgrade."""
    status, response = await exchange(
        port, head(b"Content-Type: application/json\r\n" + framing) + b"\r\n"
    )
    assert status == 400, response
    assert not log.records


@pytest.mark.parametrize("upgrade", [b"", b"Connection: Upgrade\r\nUpgrade: h2c\r\n"])
async def test_an_empty_chunked_body_is_refused(port: int, log: Log, upgrade: bytes) -> None:
    """The head announces a body, but it is empty."""
    more = b"Content-Type: application/json\r\n" + upgrade + CHUNKED
    status, _ = await exchange(port, head(more) + b"\r\n0\r\n\r\n")
    assert status == 400
    assert not log.records


@pytest.mark.parametrize(
    ("missing", "status", "slug"),
    [("key", 400, "idempotency-key-missing"), ("authorization", 401, "unauthorized")],
)
async def test_a_trailer_is_not_a_header(
    port: int, log: Log, missing: str, status: int, slug: str
) -> None:
    """A header that is missing in the head can't be added after the body."""
    begin = head(
        b"Content-Type: application/json\r\n" + CHUNKED,
        key=None if missing == "key" else "k",
        authorized=missing != "authorization",
    )
    trailers = f"Idempotency-Key: k\r\nAuthorization: Bearer {TENANT_KEYS['acme']}\r\n".encode()
    found, response = await exchange(
        port, begin + b"\r\ne\r\n" + REFUND + b"\r\n0\r\n" + trailers + b"\r\n"
    )
    assert (found, response["type"]) == (status, f"/problems/{slug}")
    assert not log.records


async def test_the_java_http_client_refunds_the_amount_it_sends(
    port: int, log: Log, tmp_path: Path
) -> None:
    """``java.net.http.HttpClient`` sends one body with a length and one in chunks."""
    java = shutil.which("java")
    if java is None or "jdk.compiler" not in await output(java, "--list-modules"):
        pytest.skip("needs a java that runs source files; the tests above send the same bytes")
    source = tmp_path / "Refund.java"
    source.write_text(JAVA)
    url = f"http://{HOST}:{port}/v1/payments/{payment_id('acme', 'order-1')}/refunds"
    assert await output(java, str(source), url, TENANT_KEYS["acme"]) == "202 202"
    assert [json.loads(record.value)["amount"] for record in log.records] == [500, 500]


async def output(*command: str) -> str:
    """Runs a program, which must succeed, and returns its output."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode().strip()
