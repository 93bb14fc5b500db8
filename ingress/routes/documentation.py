"""``/openapi.json``, ``/asyncapi.json`` and ``/docs``, served without any other host.

The page's script and style come from an installed package, so it works without internet access. Its
security policy forbids requests to other hosts.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import fastapi_offline
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ingress.documents import topics_page
from ingress.errors import NotFoundError

DOCUMENT: Final = "/openapi.json"
TOPICS: Final = "/asyncapi.json"
PAGE: Final = "/docs"
TOPICS_PAGE: Final = f"{PAGE}/topics"
_PACKAGE: Final = Path(str(fastapi_offline.__file__)).parent / "static"
_FILES: Final[Mapping[str, str]] = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
#: The page's own script. It is a separate file because the policy forbids inline scripts.
_START: Final = "start.js"
_SCRIPT: Final = f"""SwaggerUIBundle({{
  url: "{DOCUMENT}",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
}});
"""
_HTML: Final = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Payments</title>
<link rel="icon" href="{PAGE}/favicon.png">
<link rel="stylesheet" href="{PAGE}/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{PAGE}/swagger-ui-bundle.js"></script>
<script src="{PAGE}/{_START}"></script>
</body>
</html>
"""
_POLICY: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
}


def routes(
    document: Callable[[], Mapping[str, Any]], topics: Callable[[], Mapping[str, Any]]
) -> tuple[list[Route], Callable[[], object]]:
    """Returns the routes, and a function that builds both documents once and caches their bytes.

    Building takes about 100 ms. Call the function at start-up, so that no request waits for it.
    """

    @cache
    def document_bytes() -> bytes:
        return _json(document())

    @cache
    def topic_bytes() -> tuple[bytes, str]:
        found = topics()
        return _json(found), topics_page.page(found, TOPICS)

    async def openapi(_request: Request) -> Response:
        return Response(document_bytes(), media_type="application/json")

    async def asyncapi(_request: Request) -> Response:
        return Response(topic_bytes()[0], media_type="application/json")

    async def topics_html(_request: Request) -> Response:
        return Response(topic_bytes()[1], media_type="text/html", headers=_POLICY)

    return [
        Route(DOCUMENT, openapi, include_in_schema=False),
        Route(TOPICS, asyncapi, include_in_schema=False),
        Route(PAGE, _page, include_in_schema=False),
        Route(TOPICS_PAGE, topics_html, include_in_schema=False),
        Route(f"{PAGE}/{{name}}", _file, include_in_schema=False),
    ], lambda: (document_bytes(), topic_bytes())


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


async def _page(_request: Request) -> Response:
    return Response(_HTML, media_type="text/html", headers=_POLICY)


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name == _START:
        return Response(_SCRIPT, media_type="text/javascript")
    if name not in _FILES:
        raise NotFoundError("There is nothing at this address. /docs lists all addresses.")
    return FileResponse(_PACKAGE / name, media_type=_FILES[name])
