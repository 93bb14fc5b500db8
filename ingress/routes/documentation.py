"""``/openapi.json`` and ``/docs``: made once, and served from this host alone.

The page, its script and its style come from packages that are installed; a browser without the
internet shows it, and its policy forbids any request elsewhere.
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

from ingress.errors import NotFoundError

DOCUMENT: Final = "/openapi.json"
PAGE: Final = "/docs"
_PACKAGE: Final = Path(str(fastapi_offline.__file__)).parent / "static"
_FILES: Final[Mapping[str, str]] = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
#: The page's own script. A file of its own, so that the policy need allow none in the page.
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


def routes(document: Callable[[], Mapping[str, Any]]) -> tuple[list[Route], Callable[[], bytes]]:
    """The routes, and what makes the document's bytes, once: to make it takes some 50 ms.

    Called at start-up, no request has to wait for it.
    """

    @cache
    def made() -> bytes:
        return json.dumps(document(), ensure_ascii=False, separators=(",", ":")).encode()

    async def openapi(_request: Request) -> Response:
        return Response(made(), media_type="application/json")

    return [
        Route(DOCUMENT, openapi, include_in_schema=False),
        Route(PAGE, _page, include_in_schema=False),
        Route(f"{PAGE}/{{name}}", _file, include_in_schema=False),
    ], made


async def _page(_request: Request) -> Response:
    return Response(_HTML, media_type="text/html", headers=_POLICY)


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name == _START:
        return Response(_SCRIPT, media_type="text/javascript")
    if name not in _FILES:
        raise NotFoundError("There is nothing at this address. /docs lists what there is.")
    return FileResponse(_PACKAGE / name, media_type=_FILES[name])
