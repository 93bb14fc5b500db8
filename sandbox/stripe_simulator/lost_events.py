"""Events that are never made, as long as the control API says so, and what is known of them.

Stripe reports each with a thin event of its own, once the failure is over.
Source: https://docs.stripe.com/webhooks/handle-irrecoverable-events
"""

import json
from dataclasses import asdict, dataclass
from typing import Final

from sandbox.stripe_simulator.storage.store import Store
from sandbox.stripe_simulator.storage.types import JsonObject

_LOSING: Final = "lost_events.losing"
_LOST: Final = "lost_events.lost"
_THIN: Final = "lost_events.thin."
TYPE: Final = "v2.core.health.event_generation_failure.resolved"


@dataclass(frozen=True, slots=True)
class LostEvent:
    """An event that was not made."""

    type: str
    object_type: str
    object_id: str


class LostEvents:
    """The notes about them in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin(self) -> None:
        """Lose every event from now on."""
        self._store.write_note(_LOSING, "yes")

    def takes(self, event_type: str, body: JsonObject) -> bool:
        """Whether an event is lost; if so it is noted."""
        if not self._store.read_note(_LOSING):
            return False
        lost = LostEvent(event_type, str(body["object"]), str(body["id"]))
        known = json.loads(self._store.read_note(_LOST) or "[]")
        self._store.write_note(_LOST, json.dumps([*known, asdict(lost)]))
        return True

    def end(self) -> list[LostEvent]:
        """Lose no more events. Returns those that were lost, which are forgotten here."""
        known = json.loads(self._store.read_note(_LOST) or "[]")
        self._store.write_note(_LOSING, "")
        self._store.write_note(_LOST, "[]")
        return [LostEvent(**each) for each in known]

    def keep_thin(self, event: JsonObject) -> None:
        """Keep a thin event with its content, to be retrieved."""
        self._store.write_note(f"{_THIN}{event['id']}", json.dumps(event))

    def thin(self, event_id: str) -> JsonObject | None:
        """A thin event with its content."""
        found = self._store.read_note(f"{_THIN}{event_id}")
        return json.loads(found) if found else None
