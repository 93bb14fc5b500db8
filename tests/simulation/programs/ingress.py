"""The ingress without an HTTP server: its real command service and webhook route, on this log."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final, TypeVar, cast

from starlette.requests import Request

from ingress.accounts import AccountChoice
from ingress.command_builders import BuildCommand, ClientOperation
from ingress.command_service import CommandService
from ingress.errors import BrokerUnavailableError, IngressError
from ingress.idempotency import RecentOperations
from ingress.metrics import Metrics
from ingress.routes.dependencies import AppContext
from ingress.routes.webhooks import receive_webhook
from ports.producer_record import ProducerRecord
from ports.provider import WebhookReader
from postgres.reads import FirstInput
from providers.registry import money_rules
from schemas.accounts.provider_accounts import TenantAccounts
from schemas.commands import CommandBase
from tests.simulation.kafka.log import Log
from tests.simulation.postgres.database import Database
from tests.simulation.process import Process, ProcessDiedError

T = TypeVar("T")
BODY_LIMIT: Final = 262_144
#: Sent with each request, so that the ingress generates no random one.


class NoResponseError(Exception):
    """The connection broke or the response was 503: the sender must retry."""


class _Publisher:
    """The ingress' ``Publisher``."""

    def __init__(self, log: Log, process: Process) -> None:
        self._log = log
        self._process = process

    async def publish(self, record: ProducerRecord) -> None:
        chance = self._process.chance
        await self._process.step("ingress.publish")
        if chance.happens("ingress_unavailable"):
            sent = chance.one_in(2)
            if sent and chance.one_in(2):
                self._log.append(record.topic, record.key, record.value, record.headers)
            raise BrokerUnavailableError("not acknowledged in time", sent=sent)
        self._log.append(record.topic, record.key, record.value, record.headers)
        await self._process.step("ingress.published")

    async def unavailable_reason(self) -> str | None:
        return None


class _OperationLookup:
    """The ingress's look-up of an operation's first input."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def first_input(self, operation: ClientOperation) -> FirstInput | None:
        rows = [
            row.received
            for row in self._database.inbox.values()
            if row.received.operation_id == operation.operation_id
            and row.received.tenant == operation.tenant
        ]
        if not rows:
            return None
        first = min(rows, key=lambda received: received.record.position.offset)
        return FirstInput(first.event_id, first.input.received_at)


class Ingress:
    """One ingress process. ``accepted`` lists the event IDs that got a 2xx status."""

    def __init__(
        self,
        log: Log,
        database: Database,
        process: Process,
        readers: Mapping[str, WebhookReader],
        metrics: Metrics,
        accepted: list[str],
    ) -> None:
        publisher = _Publisher(log, process)
        self._process = process
        self._accepted = accepted
        self._command_service = CommandService(
            publisher, RecentOperations(), _OperationLookup(database), metrics
        )
        self._context = AppContext(
            tenants={},
            readers=readers,
            notices={},
            money_rules=money_rules(),
            client_secrets={},
            publisher=publisher,
            command_service=self._command_service,
            # only routes that read payments use these
            accepted=cast("Any", None),
            waits=cast("Any", None),
            database=cast("Any", None),
            metrics=metrics,
            clock=process.clock,
            body_limit_bytes=BODY_LIMIT,
            accounts=AccountChoice({}, TenantAccounts(default="stripe")),
            payment_expiry=timedelta(days=1),
        )
        self._app = SimpleNamespace(state=SimpleNamespace(context=self._context))

    async def command(self, operation: ClientOperation, build: BuildCommand) -> CommandBase:
        """Posts a command. Raises NoResponseError, IdempotencyKeyReusedError."""
        accept = self._command_service.accept
        command, _ = await self._respond(lambda: accept(operation, build, self._process.clock()))
        self._accepted.append(command.event_id)
        return command

    async def webhook(self, body: bytes, signature: str, event_id: str, at: str) -> int:
        """Posts a webhook to an account's endpoint; returns the status. Raises NoResponseError."""
        named = {} if at == "stripe" else {"account": at}
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/".join(["/webhooks/stripe", *named.values()]),
            "path_params": {"provider": "stripe", **named},
            "headers": [(b"stripe-signature", signature.encode())],
            "app": self._app,
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            response = await self._respond(lambda: receive_webhook(Request(scope, receive)))
        except IngressError as error:
            return error.status
        self._accepted.append(event_id)
        return response.status_code

    async def _respond(self, handle: Callable[[], Awaitable[T]]) -> T:
        try:
            await self._process.step("ingress.received")
            return await handle()
        except ProcessDiedError:
            raise NoResponseError("connection reset by peer") from None
        except BrokerUnavailableError:
            raise NoResponseError("503") from None
