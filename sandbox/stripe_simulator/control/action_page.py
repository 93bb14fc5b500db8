"""The authentication page for customers: two buttons, then a redirect to the shop."""

from html import escape
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from domain.money import format_amount
from sandbox.stripe_simulator.api.directory import Directory
from sandbox.stripe_simulator.control.control import CompleteAction, complete_action
from sandbox.stripe_simulator.control.control_http import read_body, with_json_errors
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import World

_PATH = "/_control/payment_intents/{id}/action"
_SEE_OTHER = 303


def action_routes(directory: Directory) -> list[Route]:
    """The page, and the action of its buttons."""

    async def show(request: Request) -> Response:
        intent = _intent(directory.named(request).world, request)
        return HTMLResponse(_page(intent))

    async def decide(request: Request) -> Response:
        body = await read_body(request, CompleteAction)
        resident = directory.named(request)
        world = resident.world
        intent = _intent(world, request)
        return_url = _return_url(intent)
        world.journal.take_due()
        with world.store.transaction():
            identity = f"control {request.url.path}"
            cause = world.cause(f"{identity} {world.store.count(identity)}")
            intent = complete_action(world, intent["id"], body, cause)
        resident.sender.release(world.journal.take_due())
        if return_url is None:
            return HTMLResponse(_page(intent))
        status = "succeeded" if body.outcome == "succeed" else "failed"
        query = {
            "payment_intent": intent["id"],
            "payment_intent_client_secret": intent["client_secret"],
            "redirect_status": status,
        }
        joint = "&" if "?" in return_url else "?"
        return RedirectResponse(f"{return_url}{joint}{urlencode(query)}", _SEE_OTHER)

    return [
        Route(_PATH, with_json_errors(show), methods=["GET"]),
        Route(_PATH, with_json_errors(decide), methods=["POST"]),
    ]


def _intent(world: World, request: Request) -> JsonObject:
    return world.require("payment_intent", str(request.path_params["id"]), param="id")


def _return_url(intent: JsonObject) -> str | None:
    action = intent["next_action"] or {}
    url: str | None = action.get("redirect_to_url", {}).get("return_url")
    return url


def _page(intent: JsonObject) -> str:
    amount = escape(format_amount(intent["amount"], intent["currency"].upper()))
    waits = intent["status"] == "requires_action"
    buttons = (
        '<form method="post">'
        '<button name="outcome" value="succeed">Complete authentication</button> '
        '<button name="outcome" value="fail">Fail authentication</button></form>'
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>3D Secure test page</title>"
        "<style>body{font:16px/1.5 system-ui;max-width:32rem;margin:4rem auto;padding:0 1rem}"
        "button{font:inherit;padding:.5rem 1rem;margin:.25rem 0}</style>"
        f"<h1>3D Secure test page</h1><p>Payment <code>{escape(intent['id'])}</code> of {amount},"
        f" status <code>{escape(intent['status'])}</code>.</p>{buttons if waits else ''}</html>"
    )
