"""The parts every operation works with, wired in one place (`app.create_app`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.stripe_simulator.chance import Chance
from sandbox.stripe_simulator.clock import Clock
from sandbox.stripe_simulator.errors import ResourceMissingError
from sandbox.stripe_simulator.events import Cause, Journal
from sandbox.stripe_simulator.faults import FaultSwitch
from sandbox.stripe_simulator.params import Params
from sandbox.stripe_simulator.settings import SimulatorSettings
from sandbox.stripe_simulator.storage.store import Store
from sandbox.stripe_simulator.storage.types import JsonObject


@dataclass(frozen=True, slots=True)
class World:
    """Settings, state, time, chance and the event journal of one simulator."""

    settings: SimulatorSettings
    store: Store
    clock: Clock
    chance: Chance
    faults: FaultSwitch
    journal: Journal

    def object_id(self, prefix: str, cause: Cause) -> str:
        """An ID for an object that a cause creates."""
        return self.chance.object_id(prefix, cause.identity)

    def require(self, kind: str, object_id: str, *, param: str, in_path: bool = True) -> JsonObject:
        """An object named by a request.

        Raises:
            ResourceMissingError: there is none.
        """
        found = self.store.find(kind, object_id)
        if found is None:
            raise ResourceMissingError(kind, object_id, param=param, in_path=in_path)
        return found

    def start_timer(
        self, kind: str, object_id: str, delay_s: float, detail: str | None = None
    ) -> None:
        """Let something happen to an object after a delay on the simulator's clock."""
        self.store.run(
            "insert into timers (due, kind, object_id, detail) values (?, ?, ?, ?)",
            (self.clock.now() + delay_s, kind, object_id, detail),
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One API call: its parameters, the IDs in its path, itself as the cause of what follows."""

    params: Params
    path: Mapping[str, Any]
    cause: Cause

    @property
    def object_id(self) -> str:
        """The ID in the path."""
        return str(self.path["id"])
