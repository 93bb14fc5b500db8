"""The environment variables of the programs and their clients: addresses, keys and secrets.

Secrets are generated once and kept in the state folder, so signatures and keys stay valid across
restarts.
"""

import hashlib
import json
import os
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sandbox.settings import SandboxSettings
from sandbox.state import StateFolder
from sandbox.supervision.ports import HOST

TENANT: Final = "demo"
#: The simulator's default account. Its events do not name it, and all its data is test data.
STRIPE_ACCOUNT: Final = "acct_sandbox"
DEFAULT_PARTITIONS: Final = "4"
#: The simulator's default account has no rate limit here.
SIMULATOR_PER_S: Final = "100000"
#: It lists an event at once, so nobody has to wait for it, in seconds.
LISTED_WITHIN_S: Final = "1"


@dataclass(frozen=True)
class Secrets:
    """The secrets of one state folder.

    Args:
        stripe_api_key: authenticates the worker at the simulator.
        stripe_read_api_key: authenticates the ingress at the simulator; it can only read.
        stripe_webhook_secret: signs the simulator's webhooks.
        api_key: authenticates the tenant ``demo`` at the service.
    """

    stripe_api_key: str
    stripe_read_api_key: str
    stripe_webhook_secret: str
    api_key: str


def make_secrets() -> Secrets:
    """Generate random secrets in the formats of real ones."""
    return Secrets(
        stripe_api_key=f"sk_test_{secrets.token_urlsafe(32)}",
        stripe_read_api_key=f"rk_test_{secrets.token_urlsafe(32)}",
        stripe_webhook_secret=f"whsec_{secrets.token_urlsafe(32)}",
        api_key=f"{TENANT}_{secrets.token_urlsafe(32)}",
    )


def keep_secrets(path: Path) -> Secrets:
    """Return the secrets in ``path``; generate and write those that are not there."""
    known = json.loads(path.read_text()) if path.exists() else {}
    whole = {**asdict(make_secrets()), **known}  # an older file may lack one
    if whole != known:
        write_private(path, json.dumps(whole, indent=2) + "\n")
    return Secrets(**whole)


def compose(
    settings: SandboxSettings,
    own: Secrets,
    *,
    kafka_bootstrap: str,
    database_url: str,
    given: Mapping[str, str],
) -> dict[str, str]:
    """Compose the environment of the service and of its clients.

    Args:
        settings: the ports.
        own: keys and secrets.
        kafka_bootstrap: the brokers, ``host:port``.
        database_url: a libpq URL.
        given: the environment the sandbox was started in; may set PAYMENTS_PARTITIONS.
    """
    digest = hashlib.sha256(own.api_key.encode()).hexdigest()
    return {
        "PAYMENTS_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "PAYMENTS_DATABASE_URL": database_url,
        "PAYMENTS_STRIPE_API_BASE": f"http://{HOST}:{settings.simulator_port}",
        "PAYMENTS_STRIPE_API_KEY": own.stripe_api_key,
        "PAYMENTS_STRIPE_READ_API_KEY": own.stripe_read_api_key,
        "PAYMENTS_STRIPE_ACCOUNT": STRIPE_ACCOUNT,
        "PAYMENTS_STRIPE_LIVEMODE": "false",
        "PAYMENTS_STRIPE_REQUESTS_PER_S": SIMULATOR_PER_S,
        "PAYMENTS_STRIPE_ENDPOINT_REQUESTS_PER_S": SIMULATOR_PER_S,
        "PAYMENTS_STRIPE_WEBHOOK_SECRETS": own.stripe_webhook_secret,
        "PAYMENTS_EVENT_LIST_SETTLES_S": LISTED_WITHIN_S,
        "PAYMENTS_API_KEYS": f"{TENANT}:{digest}",
        "PAYMENTS_SANDBOX_API_KEY": own.api_key,
        "PAYMENTS_INGRESS_URL": f"http://{HOST}:{settings.ingress_port}",
        "PAYMENTS_PARTITIONS": given.get("PAYMENTS_PARTITIONS", DEFAULT_PARTITIONS),
    }


def simulator_environment(
    settings: SandboxSettings, own: Secrets, state: StateFolder
) -> dict[str, str]:
    """The simulator's own variables; faults and seed come from the caller's environment."""
    return {
        "PAYMENTS_SIMULATOR_HOST": HOST,
        "PAYMENTS_SIMULATOR_PORT": str(settings.simulator_port),
        "PAYMENTS_SIMULATOR_ACCOUNT_ID": STRIPE_ACCOUNT,
        "PAYMENTS_SIMULATOR_API_KEY": own.stripe_api_key,
        "PAYMENTS_SIMULATOR_READ_API_KEY": own.stripe_read_api_key,
        "PAYMENTS_SIMULATOR_WEBHOOK_URL": f"http://{HOST}:{settings.ingress_port}/webhooks/stripe",
        "PAYMENTS_SIMULATOR_WEBHOOK_SECRET": own.stripe_webhook_secret,
        "PAYMENTS_SIMULATOR_STATE_DIR": str(state.simulator.resolve()),
    }


def write_environment(path: Path, environment: Mapping[str, str]) -> None:
    """Write KEY=VALUE lines that a shell can source, readable by the owner only."""
    lines = (f"{name}={shlex.quote(value)}\n" for name, value in environment.items())
    write_private(path, "".join(lines))


def write_private(path: Path, content: str) -> None:
    """Write a file of mode 0600 atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        os.fchmod(file.fileno(), 0o600)  # a temporary file left by a crash may have another mode
    scratch.replace(path)
