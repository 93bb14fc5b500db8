"""The parts of the programs under test; a planted bug replaces a part."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from decisions.decode import Decoder
from messaging.transactional_publisher import StatePublisher
from processor.stream.batch import BatchProcessor
from processor.stream.dedup_table import DedupTable
from processor.worker.calls.dispatcher import Dispatcher
from processor.worker.router import Router
from processor.worker.sweeps.reconciler import Reconciler
from providers.stripe.client import StripeApi
from providers.stripe.webhooks import StripeTranslator, StripeWebhooks
from tests.simulation.kafka.publishing import StateTopic
from tests.simulation.postgres.outbox import MemoryOutbox, MemoryRouting, MemorySweeps
from tests.simulation.postgres.store import MemoryBatches


@dataclass(frozen=True, slots=True)
class Parts:
    """Each part is called like the class that it replaces."""

    decoder: Callable[..., Any] = Decoder
    dedup_table: Callable[..., Any] = DedupTable
    state_publisher: Callable[..., Any] = StatePublisher
    batch_processor: Callable[..., Any] = BatchProcessor
    provider_calls: Callable[..., Any] = Dispatcher
    router: Callable[..., Any] = Router
    reconciler: Callable[..., Any] = Reconciler
    provider_client: Callable[..., Any] = StripeApi
    webhook_reader: Callable[..., Any] = StripeWebhooks
    translator: Callable[..., Any] = StripeTranslator
    batch_store: Callable[..., Any] = MemoryBatches
    call_store: Callable[..., Any] = MemoryOutbox
    routing_store: Callable[..., Any] = MemoryRouting
    sweep_store: Callable[..., Any] = MemorySweeps
    #: The topic on which the brokers fence a partition's former owner.
    state_topic: Callable[..., Any] = StateTopic


REAL = Parts()
