"""Links of the OpenAPI document: which operation goes on with what an answer says."""

from collections.abc import Iterator
from typing import Any, Final

from ingress.documents.bodies import Json, operations

_ON_PAYMENT: Final = (
    "get_payment", "get_timeline", "get_client_secret", "confirm_payment", "capture_payment",
    "cancel_payment", "refund_payment",
)  # fmt: skip
_AFTERWARDS: Final = ("get_payment", "get_timeline")
_OPERATION: Final = "get_operation"
#: By the operation's ID: where its answer has the payment's ID, and what goes on with it.
_LINKS: Final = {
    "create_payment": ("id", _ON_PAYMENT),
    "confirm_payment": ("payment_id", _AFTERWARDS),
    "capture_payment": ("payment_id", _AFTERWARDS),
    "cancel_payment": ("payment_id", _AFTERWARDS),
    "refund_payment": ("payment_id", _AFTERWARDS),
    "list_payments": ("data/0/id", _AFTERWARDS),
}


def link(document: Json) -> None:
    """Adds the links to every answer of success whose operations are in the document."""
    known = {operation["operationId"] for operation in operations(document)}
    for operation in operations(document):
        links = dict(_links(operation["operationId"], known))
        for status, answer in operation["responses"].items():
            if links and status.startswith("2"):
                answer["links"] = links


def _links(name: str, known: set[str]) -> Iterator[tuple[str, Any]]:
    if name not in _LINKS:
        return
    at, targets = _LINKS[name]
    for target in targets:
        if target in known:
            yield target, _link(target, at)
    if name != "list_payments" and _OPERATION in known:
        yield _OPERATION, _link(_OPERATION, "operation/id")


def _link(target: str, at: str) -> Json:
    return {
        "operationId": target,
        "parameters": {"id": f"$response.body#/{at}"},
        "description": f"Its `id` is the answer's `{at.replace('/', '.')}`.",
    }
