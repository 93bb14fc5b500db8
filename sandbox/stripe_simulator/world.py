"""The parts that every operation uses; ``app.create_app`` wires them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.stripe_simulator.accounts.configured import ConfiguredAccount
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
    """Settings, state, time, chance and the event journal of one account."""

    settings: SimulatorSettings
    account: ConfiguredAccount
    store: Store
    clock: Clock
    chance: Chance
    faults: FaultSwitch
    journal: Journal

    @property
    def control_query(self) -> str:
        """The query with which control requests name the account; empty for the default one."""
        if self.account == self.settings.own_account:
            return ""
        return f"?account={self.account.id}&mode={self.account.mode}"

    def object_id(self, prefix: str, cause: Cause) -> str:
        """The ID of an object that this cause creates."""
        return self.chance.object_id(prefix, cause.identity)

    def cause(self, identity: str) -> Cause:
        """A cause that is no API call: it has the account's version."""
        return Cause(identity, api_version=self.journal.account_version)

    def require(self, kind: str, object_id: str, *, param: str, in_path: bool = True) -> JsonObject:
        """The object that a request names.

        Raises:
            ResourceMissingError: it does not exist.
        """
        found = self.store.find(kind, object_id)
        if found is None:
            raise ResourceMissingError(kind, object_id, param=param, in_path=in_path)
        return found

    def start_timer(
        self, kind: str, object_id: str, delay_s: float, detail: str | None = None
    ) -> None:
        """Schedule a change of an object after a delay on the simulator's clock, in seconds."""
        self.store.run(
            "insert into timers (due, kind, object_id, detail) values (?, ?, ?, ?)",
            (self.clock.now() + delay_s, kind, object_id, detail),
        )


@dataclass(frozen=True, slots=True)
class Call:
    """One API call: its parameters, the IDs in its path, and its cause for events."""

    params: Params
    path: Mapping[str, Any]
    cause: Cause
    #: Whether a platform makes it for a connected account.
    is_platforms: bool = False

    @property
    def object_id(self) -> str:
        """The ID in the path."""
        return str(self.path["id"])
