"""What waits for accounts that this process does not know, and the end of that wait.

Each program follows its copy of the file of accounts. Where the ingress had an account before the
stream, that account's webhooks wait as inputs. Once the stream has it too, one waiting record of
each payment is sent again, and with it all that waits for the payment is taken up, in order with
its other records.
"""

import asyncio
from collections.abc import Callable, Collection, Container
from time import monotonic
from typing import Final

from ports.failures import RETRYABLE
from ports.producer_record import ProducerRecord
from ports.stores import RecordSender, UnreadStore
from ports.work_items import WaitingRecord
from runtime.logs import get_logger
from runtime.metrics import UnknownAccountRows
from runtime.tasks import ANY_ERROR, is_cancelled
from schemas.headers import AGAIN
from schemas.topics import PROVIDER_WEBHOOKS

log = get_logger(__name__)

#: Seconds between two looks at what waits.
EVERY_S: Final = 10.0
#: Seconds after which a record is sent once more, if it waits still.
AGAIN_AFTER_S: Final = 60.0
#: Payments of which a record is sent at a time.
PAGE: Final = 500
#: The kind of what waits, as the gauge names it.
INPUT: Final = "input"


class UnknownAccounts:
    """Looks at what waits in this process's partitions.

    Args:
        store: what waits.
        sender: sends records again.
        known: the names of the accounts, which follow the file.
        rows: shows what waits for accounts that are not known.
        now: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        store: UnreadStore,
        sender: RecordSender,
        known: Container[str],
        rows: UnknownAccountRows,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._store, self._sender, self._known, self._rows = store, sender, known, rows
        self._now = now
        #: When a record of a payment was sent again.
        self._sent_at: dict[str, float] = {}
        self._noted: frozenset[str] = frozenset()

    async def run(self, partitions: Callable[[], Collection[int]]) -> None:
        """Looks again and again until cancelled. An error ends no other work of the process."""
        while True:
            try:
                await self.look(sorted(partitions()))
            except RETRYABLE as error:
                log.warning("unknown_accounts.not_looked", error=repr(error))
                self._rows.show({})
            except ANY_ERROR:
                if is_cancelled():
                    raise
                log.exception("unknown_accounts.not_looked")
                self._rows.show({})
            await asyncio.sleep(EVERY_S)

    async def look(self, partitions: Collection[int]) -> None:
        """Looks once. Raises StoreUnavailableError, PublishError."""
        waiting = await self._store.unread_inputs(partitions) if partitions else {}
        known = [account for account in waiting if account in self._known]
        self._show({account: n for account, n in waiting.items() if account not in known})
        if not known:
            return
        now = self._now()
        self._sent_at = {p: at for p, at in self._sent_at.items() if now - at < AGAIN_AFTER_S}
        found = await self._store.first_unread(known, partitions, PAGE)
        again = [each for each in found if each.payment_id not in self._sent_at]
        if again:
            await self._sender.send([_again(each) for each in again])
            log.info("account.known", names=known, payments=len(again))
        self._sent_at |= {each.payment_id: now for each in again}

    def _show(self, waiting: dict[str, int]) -> None:
        self._rows.show({(account, INPUT): count for account, count in waiting.items()})
        for account, count in waiting.items():
            if account not in self._noted:
                note = "it waits until the file of accounts has the account"
                log.warning("account.unknown", provider=account, inputs=count, note=note)
        self._noted = frozenset(waiting)


def _again(waiting: WaitingRecord) -> ProducerRecord:
    """Returns a waiting webhook as a record that has what waits for its payment taken up."""
    named = [(name, text.encode()) for name, text in {**waiting.headers, AGAIN: "true"}.items()]
    return ProducerRecord(PROVIDER_WEBHOOKS, waiting.payment_id.encode(), waiting.value, named)
