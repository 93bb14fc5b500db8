"""The documentation: a valid document, made once, and a page that needs no other host."""

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

#: What a component of OpenAPI may be named.
_NAME = re.compile(r"[a-zA-Z0-9._-]+")


class Links(HTMLParser):
    """Every address that a page names, and what stands in its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes the addresses."""
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href"}]
        self._in_script = tag == "script"

    def handle_data(self, data: str) -> None:
        """Notes a script inside the page."""
        if self._in_script and data.strip():
            self.inline.append(data)


async def test_the_document_is_valid(nobody: httpx.AsyncClient) -> None:
    """By the rules of OpenAPI 3.1; every component has a name that may be referred to."""
    document = (await nobody.get("/openapi.json")).json()
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    for kind, components in document["components"].items():
        assert [name for name in components if not _NAME.fullmatch(name)] == [], kind
    for path in document["paths"].values():
        for operation in path.values():
            for requirement in operation.get("security", ()):
                assert requirement.keys() <= document["components"]["securitySchemes"].keys()


async def test_the_document_is_made_once(
    log: Log, no_database: Database, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start, so that no request waits for it; then the same bytes, however often."""
    made = 0
    really = openapi.document

    def counted(app: FastAPI) -> dict[str, Any]:
        nonlocal made
        made += 1
        return really(app)

    monkeypatch.setattr("ingress.app.document", counted)
    app = application(log, no_database, metrics)
    assert made == 0
    async with app.router.lifespan_context(app), client_of(app, None) as client:
        assert made == 1
        answers = {(await client.get("/openapi.json")).content for _ in range(5)}
    assert made == 1
    (document,) = answers
    assert json.loads(document)["paths"]


async def test_the_page_needs_no_other_host(nobody: httpx.AsyncClient) -> None:
    """All it names is on this host and there; its policy lets a browser ask nobody else."""
    page = await nobody.get("/docs")
    links = Links()
    links.feed(page.text)
    assert links.inline == []
    assert len(links.addresses) == 4
    for address in links.addresses:
        assert address.startswith("/docs/")
        found = await nobody.get(address)
        assert found.status_code == 200
        assert len(found.content) > 50
    assert "//" not in page.text
    start = (await nobody.get("/docs/start.js")).text
    assert '"/openapi.json"' in start
    assert "//" not in start
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert not any("http" in sources or "*" in sources for sources in policy.values())


async def test_the_page_is_shown_by_a_swagger_ui_that_knows_the_document(
    nobody: httpx.AsyncClient,
) -> None:
    """OpenAPI 3.1 needs version 5; the file is the one of the package, and nothing beside it."""
    script = (await nobody.get("/docs/swagger-ui-bundle.js")).text
    assert "3.1" in script
    assert "SwaggerUIBundle" in script
    for name in ("redoc.standalone.js", "..%2fcore.py", "%2e%2e/core.py", "", "start.js/x"):
        assert (await nobody.get(f"/docs/{name}")).status_code == 404
