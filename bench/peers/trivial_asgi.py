"""``python -m bench.peers.trivial_asgi``: reads each request's body and returns 200."""

from typing import Any, Final

from bench.peers.serving import serve

HEADERS: Final = [(b"content-type", b"application/json"), (b"content-length", b"17")]
BODY: Final = b'{"received":true}'


async def app(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application without a lifespan."""
    if scope["type"] != "http":
        raise ValueError(f"only HTTP is served, not {scope['type']}")
    while (await receive()).get("more_body", False):
        pass  # the rest of the body
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    serve(app)
