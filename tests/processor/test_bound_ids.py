"""Each log line has the ID of the current call, record, object or payment, libraries' too."""

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from io import StringIO
from random import Random
from typing import Any, Final, cast

import pytest
from prometheus_client import CollectorRegistry

from domain.call_key import Operation
from domain.calls import ProviderCall
from ports.batch import ReadSet
from ports.provider import Acknowledged, CallOutcome, FetchedEvent, ProviderUnavailableError
from ports.work_items import ClaimedCall, PlannedLook
from processor.stream.batch import BatchProcessor
from processor.stream.metrics import StreamMetrics
from processor.worker.calls.dispatcher import Dispatcher
from processor.worker.metrics import WorkerMetrics
from processor.worker.router import Router
from processor.worker.sweeps.access import Access
from processor.worker.sweeps.objects import ObjectSweep
from processor.worker.sweeps.sweep import Pace
from runtime import logs
from schemas import headers
from schemas.settings import WorkerSettings
from schemas.topics import PROVIDER_WEBHOOKS_UNROUTED
from tests.support.builders import NOW, Clock, Log, payment, received
from tests.support.fakes import Provider, RecordingSender

pytestmark = pytest.mark.anyio

#: A logger that knows nothing of structlog.
LIBRARY: Final = logging.getLogger("some.library")
SETTINGS: Final = WorkerSettings(reconcile_per_s=10_000.0)
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Returns the lines that the library has logged, as a program writes them."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter(terminal=False))
    LIBRARY.addHandler(handler)
    LIBRARY.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    LIBRARY.removeHandler(handler)


class LoggingProvider(Provider):
    """A provider whose client library logs."""

    async def call(self, call: ProviderCall, key: str, request: bytes | None = None) -> CallOutcome:
        """See ``ProviderClient.call``."""
        LIBRARY.info("request")
        return await super().call(call, key, request)

    async def retrieve(self, object_id: str) -> FetchedEvent:
        """See ``ProviderClient.retrieve``."""
        LIBRARY.info("request")
        return await super().retrieve(object_id)


class OneCall:
    """An outbox with one due call."""

    def __init__(self, claimed: ClaimedCall) -> None:
        self._due = [claimed]

    async def claim(self, *_: object) -> list[ClaimedCall]:
        """See ``Outbox.claim``."""
        due, self._due = self._due, []
        return due

    async def freeze(self, *_: object) -> bool:
        """See ``Outbox.freeze``."""
        return True

    async def finish(self, *_: object) -> bool:
        """See ``Outbox.finish``."""
        return True


async def test_a_provider_call_binds_its_key_and_its_payment(lines: Lines) -> None:
    """Both are unbound after the call."""
    payment_id = payment()
    call = ProviderCall(
        key=f"{payment_id}:create",
        operation=Operation.CREATE,
        payment_id=payment_id,
        provider="stripe",
    )
    provider = LoggingProvider(responses=[Acknowledged("pi_1")])
    dispatcher = Dispatcher(
        cast(
            "Any",
            OneCall(
                ClaimedCall(
                    call=call, attempts=1, generation=0, key_first_used_at=NOW, created_at=NOW
                )
            ),
        ),
        RecordingSender(),
        {"stripe": provider},
        SETTINGS,
        WorkerMetrics(CollectorRegistry()),
        Clock(),
        Random(0),  # noqa: S311  # jitter is no secret
    )
    assert await dispatcher.claim_and_start() == 1
    for task in dispatcher.in_flight():
        await task
    LIBRARY.info("afterwards")
    during, after = lines()
    assert (during["call_key"], during["payment_id"]) == (call.key, payment_id)
    assert "call_key" not in after


class LoggingTranslator:
    """A provider's translator that logs, and fails."""

    def translate(self, _body: bytes) -> Any:
        """See ``Translator.translate``."""
        LIBRARY.info("translating")
        raise KeyError("planted")


class NoOwners:
    """A routing store that knows no payment."""

    async def owners(self, *_: object) -> dict[tuple[str, str], str]:
        """See ``RoutingStore.owners``."""
        return {}

    async def park(self, *_: object) -> None:
        """See ``RoutingStore.park``."""

    async def ignore(self, *_: object) -> None:
        """See ``RoutingStore.ignore``."""


async def test_the_router_binds_the_event_of_each_record(lines: Lines) -> None:
    """Each record of a batch has its own."""
    named = {headers.PROVIDER: "stripe", headers.RECEIVED_AT: NOW.isoformat()}
    named |= {headers.OBJECT_ID: "pi_1"}
    log = Log()
    records = [
        log.append(
            PROVIDER_WEBHOOKS_UNROUTED, b"pi_1", b"{}",
            **{k.replace("-", "_"): v for k, v in {**named, headers.EVENT_ID: event_id}.items()},
        )
        for event_id in ("evt_1", "evt_2")
    ]  # fmt: skip
    router = Router(
        cast("Any", NoOwners()),
        RecordingSender(),
        cast("Any", None),
        {"stripe": cast("Any", LoggingTranslator())},
        SETTINGS,
        WorkerMetrics(CollectorRegistry()),
        Clock(),
    )
    await router.route(records)
    assert [line["event_id"] for line in lines()] == ["evt_1", "evt_2"]


async def test_the_reconciler_binds_the_object_and_its_payment(lines: Lines) -> None:
    """Both are bound during the look-up."""
    provider = LoggingProvider(objects={"pi_1": ProviderUnavailableError("down")})
    access = Access(
        provider.name, provider, None, Pace(1.0), cast("Any", None), RecordingSender(),
        WorkerMetrics(CollectorRegistry()), Clock(),
    )  # fmt: skip
    sweep = ObjectSweep(access, SETTINGS)
    look = PlannedLook(
        payment_id="pay_1", object_id="pi_1", version=1, payment=None, found=None, unchanged=0
    )
    assert await sweep.look_up(look) is None
    (line,) = lines()
    assert (line["payment_id"], line["object_id"]) == ("pay_1", "pi_1")


class FailingStore:
    """A store whose driver logs, and which refuses every batch with inputs."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """See ``BatchStore.transaction``."""
        yield self

    async def load(self, batch: list[Any]) -> Any:
        """See ``Transaction.load``."""
        LIBRARY.info("loading")
        if batch:
            raise KeyError("planted")
        return ReadSet(payments={}, known={}, quarantined=frozenset(), parked={}, owners={})

    async def write(self, *_: object) -> list[Any]:
        """See ``Transaction.write``."""
        return []


async def test_a_payment_is_bound_only_where_payments_are_committed_one_by_one(
    lines: Lines,
) -> None:
    """A batch as a whole binds nothing, because that would cost time for each record."""
    log, mine = Log(), payment()
    processor = BatchProcessor(
        cast("Any", None), cast("Any", FailingStore()), cast("Any", None), cast("Any", None),
        RecordingSender(), StreamMetrics(CollectorRegistry()), Clock(),
    )  # fmt: skip
    with pytest.raises(KeyError):
        await processor._commit_all([received(log.create(mine))], [], [])
    bound = [line.get("payment_id") for line in lines()]
    assert bound == [None, None, mine, mine, mine]
