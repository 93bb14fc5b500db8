"""What the OpenAPI document says of the whole API: how to ask, and what may change."""

from typing import Any, Final

DESCRIPTION: Final = """\
Create payments and operate on them.

**Requests.** A request under `/v1` has the header `Authorization: Bearer <API key>`. Every POST \
there has an `Idempotency-Key`: a retry with the same key and body is the same operation, and is \
done once. Bodies are JSON objects in UTF-8 with `Content-Type: application/json`, uncompressed; \
anything else is 415. An unknown field is 422.

**Answers.** JSON, or `application/problem+json` (RFC 9457) with a `type` that says what went \
wrong; `Accept` changes nothing. Every answer has an `X-Request-Id`. Answers under `/v1` are never \
stored by caches.

**Addresses** are exactly those that are listed here: with another slash, such as one at the end, \
or in another case it is 404. Another method is 405, also HEAD and OPTIONS, and `Allow` lists \
those that there are. Both are problems, the 405 with the type `about:blank`. \
A query parameter of a GET that is not listed, or comes twice where it can't, is 422; a POST has \
none and ignores them.

**What may change.** Fields, optional request fields, parameters and headers, problem types, and \
values where `x-open` is true may be added at any time: ignore what you do not know, and take an \
unknown problem type for what its status says. Nothing under `/v1` is removed, renamed, or given \
another type or meaning. What is to go is marked `deprecated`, and its description says what \
stands in its place and since when. It works for at least twelve months from then, and its \
answers have the headers `Deprecation` (RFC 9745) and `Sunset` (RFC 8594). A change that would \
break a client gets a new path, beside the old one.

The topics are described at [/asyncapi.json](/asyncapi.json), for people at \
[/docs/topics](/docs/topics).
"""

#: Relative: it is wherever the document was read.
SERVERS: Final = ({"url": "/", "description": "The host that serves this document."},)

TAGS: Final[tuple[dict[str, str], ...]] = (
    {"name": "payments", "description": "Create payments, operate on them, and read them."},
    {"name": "webhooks", "description": "What providers report. Only they can sign it."},
    {"name": "health", "description": "For operators and orchestrators; no API key is needed."},
)

LICENSE: Final = {"name": "Apache License 2.0", "identifier": "Apache-2.0"}


def described(found: dict[str, Any]) -> None:
    """Adds servers, licence, and the tags that are in use."""
    used = {
        tag
        for path in found["paths"].values()
        for operation in path.values()
        for tag in operation.get("tags", ())
    }
    found["info"]["license"] = dict(LICENSE)
    found["servers"] = [dict(server) for server in SERVERS]
    found["tags"] = [dict(tag) for tag in TAGS if tag["name"] in used]
