"""The webhook endpoint operations, and the endpoints from the settings."""

import secrets

from stripe import api_version

from sandbox.stripe_simulator.errors import ParameterError
from sandbox.stripe_simulator.objects import objects
from sandbox.stripe_simulator.storage.types import JsonObject
from sandbox.stripe_simulator.world import Call, World

PRESET_ID = "we_1" + "0" * 24
_SECRETS = frozenset({"secret", "rolled_secrets"})
_STATUS_OF = {True: "disabled", False: "enabled"}


def create(world: World, call: Call) -> JsonObject:
    """Create an endpoint; only this response contains its signing secret.

    With ``connect`` it gets the events of connected accounts, and none of the account itself.
    """
    params = call.params
    url = _url(params.required_text("url"))
    enabled_events = _enabled_events(params.texts("enabled_events"))
    endpoint = objects.webhook_endpoint(
        world.object_id("we_1", call.cause),
        world.clock.seconds(),
        api_version=params.text("api_version") or api_version,
        application=_application(world) if params.boolean("connect") else None,
        description=params.text("description"),
        enabled_events=enabled_events,
        metadata=params.metadata(),
        secret=f"whsec_{secrets.token_urlsafe(24)}",
        url=url,
    )
    world.store.insert(endpoint)
    return endpoint


def retrieve(world: World, call: Call) -> JsonObject:
    """An endpoint, without its secret."""
    return without_secret(_require(world, call))


def update(world: World, call: Call) -> JsonObject:
    """Change an endpoint."""
    endpoint = _require(world, call)
    params = call.params
    if "url" in params.values:
        endpoint["url"] = _url(params.required_text("url"))
    if "enabled_events" in params.values:
        endpoint["enabled_events"] = _enabled_events(params.texts("enabled_events"))
    if "description" in params.values:
        endpoint["description"] = params.text("description")
    disabled = params.boolean("disabled")
    if disabled is not None:
        endpoint["status"] = _STATUS_OF[disabled]
    endpoint["metadata"] = params.metadata(endpoint["metadata"])
    world.store.update(endpoint)
    return without_secret(endpoint)


def delete(world: World, call: Call) -> JsonObject:
    """Delete an endpoint and abandon its undelivered webhooks."""
    endpoint = _require(world, call)
    world.store.run("delete from objects where id = ?", (endpoint["id"],))
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def without_secret(endpoint: JsonObject) -> JsonObject:
    """An endpoint without its signing secrets."""
    return {name: value for name, value in endpoint.items() if name not in _SECRETS}


def install_preset(world: World) -> None:
    """Create or update the endpoint from the settings, and a platform's for connected accounts."""
    _install(world, PRESET_ID)
    if world.account.connected:
        of_connected = world.chance.object_id("we_1", "of connected accounts")
        _install(world, of_connected, application=_application(world))


def _install(world: World, endpoint_id: str, application: str | None = None) -> None:
    account = world.account
    if account.webhook_url is None:
        return
    secret, *others = [each.get_secret_value() for each in account.webhook_secrets]
    endpoint = objects.webhook_endpoint(
        endpoint_id,
        world.clock.seconds(),
        application=application,
        description="Set by the environment",
        enabled_events=["*"],
        secret=secret,
        rolled_secrets=others,
        url=str(account.webhook_url),
    )
    if world.store.find("webhook_endpoint", endpoint_id) is None:
        world.store.insert(endpoint)
    else:
        world.store.update(endpoint)


def _application(world: World) -> str:
    """The ID of the platform's application, which its endpoints for connected accounts name."""
    return world.chance.object_id("ca_", "application", length=32)


def _require(world: World, call: Call) -> JsonObject:
    return world.require("webhook_endpoint", call.object_id, param="webhook_endpoint")


def _url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ParameterError(
            "Invalid URL: An explicit scheme (such as https) must be provided", param="url"
        )
    return url


def _enabled_events(names: list[str]) -> list[str]:
    if not names:
        raise ParameterError(
            "Missing required param: enabled_events.",
            code="parameter_missing",
            param="enabled_events",
        )
    return names
