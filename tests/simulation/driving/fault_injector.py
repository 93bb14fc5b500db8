"""The fault injector: rebalances, outages, wrong clocks, undecodable records."""

import asyncio
from collections.abc import Sequence
from typing import Final

from schemas import headers
from schemas.topics import PAYMENT_COMMANDS, PROCESSOR_SOURCES, PROVIDER_WEBHOOKS
from tests.simulation.outside.bank import pay_out
from tests.simulation.programs.machine import Machine, Surroundings

HOUR_S: Final = 3_600.0
#: The largest error of our clocks; due work is late by up to this.
SKEW_S: Final = 8.0
#: The largest error of the provider's clock; its signatures tolerate 300 s.
PROVIDER_SKEW_S: Final = 90.0
#: Durations of an outage of all our machines, around the lifetime of an idempotency key.
OUTAGES_H: Final = (0.1, 1.0, 5.0, 19.9, 21.0, 24.5, 30.0)
LONG_OUTAGES_H: Final = (21.0, 24.5, 30.0)


class FaultInjector:
    """Injects faults that are not tied to a step of I/O."""

    def __init__(self, around: Surroundings, machines: Sequence[Machine]) -> None:
        self._around = around
        self._machines = machines
        self._time = asyncio.get_running_loop().time

    def set_clocks(self) -> None:
        """Sets some clocks wrong; call it before the programs start."""
        clocks = [(machine.clock, SKEW_S) for machine in self._machines]
        for clock, most in (*clocks, (self._around.accounts.clock, PROVIDER_SKEW_S)):
            if self._around.chance.happens("skewed_clock"):
                clock.ahead_s = self._around.chance.between(-most, most)

    async def run(self) -> None:
        """Injects faults at random times until cancelled."""
        chance = self._around.chance
        while True:
            await asyncio.sleep(chance.between(0.5, 4.0))
            if chance.happens("rebalance"):
                group = chance.choice((self._around.stream_group, self._around.router_group))
                group.rebalance()
            if chance.happens("store_outage"):
                seconds = chance.between(0.5, 6.0)
                self._around.trace.note("outage", "postgres", f"{seconds:.1f} s")
                self._around.database.out_until = self._time() + seconds
                self._around.database.leader = None
            if chance.happens("jumping_clock"):
                machine = chance.choice(list(self._machines))
                machine.clock.ahead_s = chance.between(-SKEW_S, SKEW_S)
            if chance.happens("garbage"):
                self._append_garbage()
            if chance.one_in(10):
                self._around.accounts.default.act(pay_out)

    def _append_garbage(self) -> None:
        """Appends one of several undecodable records."""
        chance = self._around.chance
        topic, key, value, named = chance.choice(
            (
                (chance.choice(PROCESSOR_SOURCES), b"pay_x", b"\xff\xfe", []),
                (PAYMENT_COMMANDS, None, b"", []),
                (PAYMENT_COMMANDS, b"pay_x", b'{"type": "create"}', []),
                (PROVIDER_WEBHOOKS, b"pay_" + b"a" * 30, b"{}", [(headers.PROVIDER, b"acme")]),
                (PROVIDER_WEBHOOKS, b"pay_" + b"a" * 30, b"{", _named(b"evt_x")),
                (PROVIDER_WEBHOOKS, b"pay_" + b"a" * 30, b"[]", _named(b"")),
            )
        )
        self._around.log.append(topic, key, value, named)

    async def outage(self) -> None:
        """Takes all our machines down for hours of virtual time."""
        chance, trace = self._around.chance, self._around.trace
        hours = chance.choice(LONG_OUTAGES_H if chance.is_outage_long else OUTAGES_H)
        trace.note("outage", "", f"{hours} h")
        for machine in self._machines:
            machine.go_down(hours * HOUR_S)
        await asyncio.sleep(hours * HOUR_S)
        trace.note("recovered", "")


def _named(event_id: bytes) -> list[tuple[str, bytes]]:
    return [
        (headers.EVENT_ID, event_id),
        (headers.PROVIDER, b"stripe"),
        (headers.RECEIVED_AT, b"2026-01-01T00:00:00+00:00"),
    ]
