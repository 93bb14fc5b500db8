"""One provider, as its sweeps reach it, and where what they find goes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from decisions.dead_letters import as_outgoing, note
from ports.producer_record import ProducerRecord
from ports.provider import FetchedEvent, ProviderClient, Translator
from ports.records import DeadLetter
from ports.stores import RecordSender, SweepStore
from processor.worker.metrics import WorkerMetrics
from processor.worker.sweeps.sweep import Pace
from processor.worker.webhook_records import fetched_or_dead
from runtime.tasks import best_effort


@dataclass(frozen=True, slots=True)
class Access:
    """What every sweep of one provider needs."""

    #: The provider's name.
    provider: str
    client: ProviderClient
    #: Decodes what was found, to see whether it is news.
    translator: Translator | None
    #: Of the requests to the provider.
    pace: Pace
    store: SweepStore
    sender: RecordSender
    metrics: WorkerMetrics
    #: The current time in UTC.
    clock: Callable[[], datetime]

    async def publish(self, source: str, found: Iterable[tuple[FetchedEvent, str | None]]) -> None:
        """Publishes events, each for the payment beside it, or for the one that it names.

        What can't be a record becomes a dead letter, and stops no other. Raises PublishError.

        Args:
            source: what found them, for the metrics.
            found: the events.
        """
        now = self.clock()
        made = [fetched_or_dead(event, self.provider, now, owner) for event, owner in found]
        dead = [each for each in made if isinstance(each, DeadLetter)]
        await self.sender.send([_as_record(each) for each in made])
        with best_effort("metrics"):
            note(dead)
            self.metrics.dead_letters.inc(len(dead))
            self.metrics.reconciled.labels(self.provider, source).inc(len(made))


def _as_record(made: ProducerRecord | DeadLetter) -> ProducerRecord:
    if isinstance(made, ProducerRecord):
        return made
    (record,) = as_outgoing([made])
    return record
