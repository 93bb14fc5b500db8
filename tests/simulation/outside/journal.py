"""The provider's events: which are generated, which are listed, and in which API version.

The endpoint and the account have versions of their own. A webhook has the form of its endpoint's
version, a listed event that of the account's, and both have the same ID.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stripe import api_version

from sandbox.stripe_simulator.chance import Chance as Derived
from sandbox.stripe_simulator.clock import Clock
from sandbox.stripe_simulator.events import Cause, Journal
from sandbox.stripe_simulator.faults import Faults, FaultSwitch
from sandbox.stripe_simulator.rendering import is_sent, render
from sandbox.stripe_simulator.storage.store import Store, decode, encode
from sandbox.stripe_simulator.storage.types import JsonObject
from tests.simulation.faults import Chance

CREATION: Final = "payment_intent.created"
EVENTS_OF_CREATION: Final = frozenset(
    {
        CREATION,
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
    }
)
LISTED_LATE: Final = frozenset({CREATION, "payment_intent.canceled"})
#: A version in each form whose events name the key of the call that caused them.
_WITH_KEYS: Final = ("2018-11-08", "2020-08-27", "2023-10-16", "2025-02-24.acacia")
#: The versions of accounts. In older ones no listed event names a key, and a lost answer to our
#: own last cancel is never proved.
OF_ACCOUNTS: Final = (*_WITH_KEYS, api_version)
#: The versions of endpoints; webhooks in the first one are not read, only listed events are.
NOT_READ: Final = "2013-12-03"
OF_ENDPOINTS: Final = (NOT_READ, "2016-07-06", *_WITH_KEYS, api_version)
#: One seed out of this many has old versions.
OLD_IN: Final = 2
_NO_REFUNDS_IN_CHARGES: Final = "2022-11-15"
_EVENTS_OF_REFUNDS: Final = "2024-10-28"
#: What the endpoint gets, in its form.
_WEBHOOKS: Final = """
create table webhooks (
    seq integer primary key autoincrement, id text, type text, body text, idempotency_key text
)"""


@dataclass(frozen=True, slots=True)
class Versions:
    """The API versions of the endpoint and of the account, which the list of events has."""

    endpoint: str = api_version
    account: str = api_version

    @property
    def names_refunds(self) -> bool:
        """Whether listed events name every refund, and not only what was given back in all.

        Of a charge's event the rendering that came first counts, which the other has the ID of.
        """
        is_listed = self.account < _NO_REFUNDS_IN_CHARGES > self.endpoint
        return self.account >= _EVENTS_OF_REFUNDS or is_listed


def versions_of(seed: int) -> Versions:
    """The versions of a seed; consecutive seeds have all of them, in many combinations."""
    if seed % OLD_IN:
        return Versions()
    drawn = random.Random(f"versions {seed}")  # noqa: S311  # seeded on purpose
    return Versions(drawn.choice(OF_ENDPOINTS), drawn.choice(OF_ACCOUNTS))


#: One seed out of this many has a list that is late; with draws of its own, so that the other
#: seeds' runs stay as they are.
LATE_IN: Final = 7
LISTED_LATE_SHARE: Final = 0.3
#: Seconds after which the list has every event that is listed late.
LISTED_WITHIN_S: Final = 30
_LIST_LATE: Final = """
    update events set listed_from = created + ? where seq = (select max(seq) from events)"""


def lateness_of(seed: int) -> random.Random | None:
    """The draws of a seed's late list; None: its list is never late."""
    return None if seed % LATE_IN else random.Random(f"late {seed}")  # noqa: S311  # as above


#: One seed out of this many, and another than one with a late list, loses events of parts.
PARTS_LOST_IN: Final = 7
PARTS_LOST_SHARE: Final = 0.3
_OF_PARTS: Final = ("refund.", "charge.refund", "charge.dispute.", "radar.")


def lost_parts_of(seed: int) -> random.Random | None:
    """The draws of a seed whose events of refunds and disputes are lost; None: they are not."""
    if seed % PARTS_LOST_IN != 3:  # any remainder but the late lists'
        return None
    return random.Random(f"parts {seed}")  # noqa: S311  # as above


#: One seed out of this many has objects with another payment's ID: those with this remainder. No
#: seed that had found a bug by then has it.
MISNAMED_IN: Final = 9
MISNAMED_REMAINDER: Final = 6
MISNAMED_SHARE: Final = 0.3
#: Of objects whose metadata anybody with a key of the account can change.
_WITH_METADATA: Final = ("payment_intent.", "refund.", "charge.")


def misnaming_of(seed: int) -> random.Random | None:
    """The draws of a seed whose objects are given another payment's ID; None: they are not."""
    if seed % MISNAMED_IN != MISNAMED_REMAINDER:
        return None
    return random.Random(f"misnamed {seed}")  # noqa: S311  # as above


class RenderingJournal(Journal):
    """Drops some events of payment intents, so only the object shows the change.

    Events of a confirm are kept: a finished attempt leaves the object unchanged, so without the
    event nothing would show it, and it might be repeated. The events of a creation and of a cancel
    are listed late instead, after the faults: without them nothing would ever prove whose object it
    is, and whose cancel it was.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        derived: Derived,
        chance: Chance,
        versions: Versions,
        late: random.Random | None = None,
        lost_parts: random.Random | None = None,
        misnaming: random.Random | None = None,
    ) -> None:
        super().__init__(store, clock, derived, FaultSwitch(Faults()))
        store.run(_WEBHOOKS)
        self.upgrade_account(versions.account)
        self._lost = chance
        self._versions: Final = versions
        self._late: Final = late
        self._lost_parts: Final = lost_parts
        self._misnaming: Final = misnaming
        #: Whose IDs objects may be given.
        self.payment_ids: Sequence[str] = ()
        #: IDs of payments without events of their creation.
        self.suppressed: Final[set[str]] = set()

    def record(
        self,
        event_type: str,
        body: JsonObject,
        cause: Cause,
        before: JsonObject | None = None,
        version: str | None = None,
    ) -> None:
        """Records an event as the list has it, and its webhook as the endpoint gets it."""
        of_confirm = ":confirm:" in (cause.idempotency_key or "")
        can_be_lost = event_type.startswith("payment_intent.") and not of_confirm
        is_unheard = (
            body.get("metadata", {}).get("payment_id") in self.suppressed
            and event_type in EVENTS_OF_CREATION
            and not self._lost.is_healed
        )
        is_lost = is_unheard or (can_be_lost and self._lost.happens("not_generated"))
        if (is_lost and event_type not in LISTED_LATE) or self._loses_part(event_type):
            return
        super().record(event_type, self._named(event_type, body, cause), cause, before, version)
        if not is_lost:
            self._list_late()
            self._send(event_type, version or api_version)
            return
        self._store.run(  # a list starts at a time, and so without this one
            "update events set created = -created, listed_from = 0"
            " where seq = (select max(seq) from events)",
            (),
        )

    def _named(self, event_type: str, body: JsonObject, cause: Cause) -> JsonObject:
        """Returns the object, in some seeds with another payment's ID; the next event has its own.

        Our own create gives an object its ID, so the events of that call have it.
        """
        draws = self._misnaming
        of_create = ":create" in (cause.idempotency_key or "")
        can_be = event_type.startswith(_WITH_METADATA) and not of_create
        if draws is None or self._lost.is_healed or not can_be:
            return body
        if draws.random() > MISNAMED_SHARE:
            return body
        self._lost.met["misnamed"] += 1
        metadata = body.get("metadata") or {}
        others = [each for each in self.payment_ids if each != metadata.get("payment_id")]
        return {**body, "metadata": {**metadata, "payment_id": draws.choice(others)}}

    def _loses_part(self, event_type: str) -> bool:
        """Whether no event is generated of a change of a refund or dispute: the list shows it."""
        draws = self._lost_parts
        if draws is None or self._lost.is_healed or not event_type.startswith(_OF_PARTS):
            return False
        if draws.random() > PARTS_LOST_SHARE:
            return False
        self._lost.met["part_not_generated"] += 1
        return True

    def _send(self, event_type: str, version: str) -> None:
        """Sends the newest event to the endpoint, in its form."""
        endpoint, account = self._versions.endpoint, self._versions.account
        self._lost.met[f"list in {account}"] += 1
        if not is_sent(event_type, version, endpoint):
            return
        self._lost.met[f"webhook in {endpoint}"] += 1
        (body,) = self._store.row("select body from events order by seq desc limit 1")
        event = decode(body)
        key = event["request"]["idempotency_key"]
        if endpoint != api_version:
            body = encode(render(event, endpoint, self._store))
        self._store.run(
            "insert into webhooks (id, type, body, idempotency_key) values (?, ?, ?, ?)",
            (event["id"], event_type, body, key),
        )

    def _list_late(self) -> None:
        """Lists the newest event after later ones, in some seeds and until the faults end."""
        late = self._late
        if late is None or self._lost.is_healed or late.random() > LISTED_LATE_SHARE:
            return
        self._lost.met["listed_late"] += 1
        self._store.run(_LIST_LATE, (late.randint(1, LISTED_WITHIN_S),))

    def list_late(self) -> None:
        """Lists the events that were not listed yet. No webhook delivers them."""
        self._store.run("update events set created = -created where created < 0", ())
