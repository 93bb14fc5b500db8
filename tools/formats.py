"""The formats that others have: how they are now, and how they were frozen."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from ingress.accounts import AccountChoice, Providers
from ingress.app import VERSION, Followed, create_app
from ingress.database import Database
from ingress.documents import asyncapi, published
from ingress.following.waiters import Waiter
from ingress.metrics import Metrics
from ingress.routes.openapi import document
from ports.producer_record import ProducerRecord
from schemas.accounts.provider_accounts import TenantAccounts
from schemas.commands import Command, CreatePayment
from schemas.settings import IngressSettings
from tools.compatibility import Direction, breaks
from tools.compatible_documents import asyncapi_breaks, bare, openapi_breaks
from tools.generate import DIRECTORY, NAMES, document_of

Format = Mapping[str, Any]

#: One folder for each version: a form that breaks others gets the next number, beside this one.
FROZEN: Final = DIRECTORY / "frozen" / "v1"
#: What stands under another path is for operators and providers, and not promised.
_PROMISED: Final = "/v1/"


class _Nowhere:
    """A log that takes and has nothing: only the document of the application is wanted."""

    async def publish(self, record: ProducerRecord) -> None:
        raise NotImplementedError

    async def unavailable_reason(self) -> str | None:
        raise NotImplementedError

    async def create_of(self, payment_id: str) -> CreatePayment | None:
        raise NotImplementedError

    async def command_of(self, payment_id: str, event_id: str) -> Command | None:
        raise NotImplementedError

    async def begin(
        self, payment_id: str, operation_id: str | None, *, for_payment: bool
    ) -> Waiter | None:
        raise NotImplementedError

    def end(self, waiter: Waiter) -> None:
        raise NotImplementedError


def _openapi() -> Format:
    account = TenantAccounts(default="stripe", allowed=())
    app = create_app(
        IngressSettings(api_keys={"0" * 64: "nobody"}),
        providers=Providers(
            choice=AccountChoice({}, account),
            readers={}, notices={}, money_rules={}, client_secrets={},
        ),
        publisher=_Nowhere(),
        followed=Followed(_Nowhere(), _Nowhere()),
        database=Database(SecretStr("postgresql://nobody@127.0.0.1:1/nothing")),
        metrics=Metrics(),
        clock=lambda: datetime.now(UTC),
    )  # fmt: skip
    return bare(document(app), _PROMISED)


def _asyncapi() -> Format:
    return bare(asyncapi.document(VERSION, {}))


def current() -> dict[str, Format]:
    """Returns every format as the code has it, by the name of its file."""
    topics = {f"{name}.schema.json": bare(document_of(name)) for name in NAMES}
    return {**topics, "openapi.json": _openapi(), "asyncapi.json": _asyncapi()}


def frozen(directory: Path = FROZEN) -> dict[str, Format]:
    """Returns every format as it was frozen, by the name of its file."""
    return {file.name: json.loads(file.read_text()) for file in sorted(directory.glob("*.json"))}


def text_of(found: Format) -> str:
    """Returns the text of a frozen file."""
    return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _rule(name: str) -> Callable[[Format, Format], list[str]]:
    """Returns what compares the earlier form of this file with the later one."""
    if name == "openapi.json":
        return openapi_breaks
    if name == "asyncapi.json":
        return asyncapi_breaks
    topic = name.removesuffix(".schema.json")
    # what only our own programs read was written by earlier releases, and stays in the log
    direction = Direction.READ if topic in published.PUBLISHED else Direction.SENT
    return partial(breaks, direction=direction)


def incompatible(old: Mapping[str, Format], new: Mapping[str, Format]) -> list[str]:
    """Returns every change of the later formats that breaks who has the earlier ones."""
    found = []
    for name, before in old.items():
        if name not in new:
            found.append(f"{name}: gone")
        else:
            found += [f"{name}: {change}" for change in _rule(name)(before, new[name])]
    return found
