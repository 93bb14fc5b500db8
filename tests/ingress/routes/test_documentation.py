"""The OpenAPI document is valid and generated once; the page needs no other host."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from openapi_spec_validator import OpenAPIV31SpecValidator

from ingress.database import Database
from ingress.metrics import Metrics
from ingress.routes import openapi
from tests.ingress.harness import Log, application, client_of

pytestmark = pytest.mark.anyio

#: The allowed names of OpenAPI components.
_NAME = re.compile(r"[a-zA-Z0-9._-]+")


class Links(HTMLParser):
    """Collects the addresses that a page links, and its inline scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects the addresses."""
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        self._in_script = tag == "script"

    def handle_data(self, data: str) -> None:
        """Collects an inline script."""
        if self._in_script and data.strip():
            self.inline.append(data)


async def test_the_document_is_valid(anonymous: httpx.AsyncClient) -> None:
    """It follows OpenAPI 3.1, and every component's name can be referenced."""
    document = (await anonymous.get("/openapi.json")).json()
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    for kind, components in document["components"].items():
        assert [name for name in components if not _NAME.fullmatch(name)] == [], kind
    for path in document["paths"].values():
        for operation in path.values():
            for requirement in operation.get("security", ()):
                assert requirement.keys() <= document["components"]["securitySchemes"].keys()


async def test_the_document_is_generated_once(
    log: Log, no_database: Database, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is generated at start-up, so that no request waits for it."""
    generated = 0
    real_document = openapi.document

    def counted(app: FastAPI) -> dict[str, Any]:
        nonlocal generated
        generated += 1
        return real_document(app)

    monkeypatch.setattr("ingress.app.document", counted)
    app = application(log, no_database, metrics)
    assert generated == 0
    async with app.router.lifespan_context(app), client_of(app, None) as client:
        assert generated == 1
        responses = {(await client.get("/openapi.json")).content for _ in range(5)}
    assert generated == 1
    (document,) = responses
    assert json.loads(document)["paths"]


async def test_the_page_needs_no_other_host(anonymous: httpx.AsyncClient) -> None:
    """Everything it links is on this host, and its policy forbids other hosts."""
    page = await anonymous.get("/docs")
    links = Links()
    links.feed(page.text)
    assert links.inline == []
    assert len(links.addresses) == 4
    for address in links.addresses:
        assert address.startswith("/docs/")
        found = await anonymous.get(address)
        assert found.status_code == 200
        assert len(found.content) > 50
    assert "//" not in page.text
    start = (await anonymous.get("/docs/start.js")).text
    assert '"/openapi.json"' in start
    assert "//" not in start
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert not any("http" in sources or "*" in sources for sources in policy.values())


async def test_the_swagger_ui_supports_the_document(
    anonymous: httpx.AsyncClient,
) -> None:
    """OpenAPI 3.1 needs Swagger UI 5. No other file of its package is served."""
    script = (await anonymous.get("/docs/swagger-ui-bundle.js")).text
    assert "3.1" in script
    assert "SwaggerUIBundle" in script
    for name in ("redoc.standalone.js", "..%2fcore.py", "%2e%2e/core.py", "", "start.js/x"):
        assert (await anonymous.get(f"/docs/{name}")).status_code == 404
