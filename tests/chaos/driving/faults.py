"""The table of faults: targets, frequency, duration and function of each kind."""

import asyncio
import itertools
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from tests.chaos.driving.schedule import Kind, Occurrence
from tests.chaos.history import FaultBegan, FaultEnded
from tests.chaos.stack.plan import SESSION_S
from tests.chaos.stack.topology import (
    BROKERS,
    GROUPS,
    INGRESSES,
    LINKS,
    POSTGRES,
    PROVIDER,
    STREAMS,
    WORKERS,
)
from tests.chaos.stack.world import World

#: The most repetitions, on changing targets, of a kind of fault that had no effect.
REPEATS_MAX: Final = 8
#: Faults that the simulator counts under their own name.
COUNTED: Final = frozenset({
    "error_500_before", "error_500_after", "rate_limit_429", "timeout_after", "reset_before",
    "reset_after",
})  # fmt: skip
Inject = Callable[[World, Occurrence], Awaitable[str]]
"""Injects a fault for its duration. Returns its effect as text, '' if it had none."""

#: The webhook faults during the whole run: 30 % repeated, 30 % late, 5 % lost.
WEBHOOKS: Final[Mapping[str, Any]] = {
    "duplicate": 0.3,
    "duplicate_max": 2,
    "duplicate_spread_s": (0.0, 2.0),
    "reorder": 0.2,
    "reorder_hold_s": (0.1, 1.5),
    "delay": 0.13,
    "delay_s": (0.1, 3.0),
    "drop": 0.05,
    "early": 0.2,
    "early_hold_s": (0.01, 0.1),
}


async def killed(world: World, one: Occurrence) -> str:
    """Kill -9. The supervisor restarts the process at once."""
    effect = await world.processes[one.target].end(signal.SIGKILL)
    await asyncio.sleep(one.lasts)
    return effect


async def restarted(world: World, one: Occurrence) -> str:
    """Shuts Postgres down in immediate mode, so that it recovers from its log."""
    effect = await world.processes[one.target].end(signal.SIGQUIT)
    await asyncio.sleep(one.lasts)
    return effect


async def paused(world: World, one: Occurrence) -> str:
    """Pauses a process for longer than its session."""
    return await world.processes[one.target].pause(one.lasts)


async def toxic(
    world: World, one: Occurrence, *, kind: str, attributes: Mapping[str, Any],
    streams: tuple[str, ...] = ("upstream", "downstream"),
) -> str:  # fmt: skip
    """Puts a toxic on a link, or on all of a group's links to the brokers."""
    links = [f"{one.target}-{b}" for b in BROKERS] if one.target in GROUPS else [one.target]
    connections, before = world.links.connections(links), await world.links.received(links)
    names = [
        (link, await world.links.add_toxic(link, kind, stream, attributes))
        for link in links
        for stream in streams
    ]

    try:
        await asyncio.sleep(one.lasts)
        received = await world.links.received(links) - before
        ended = len(connections - world.links.connections(links))
    finally:
        for link, name in names:
            await world.links.remove_toxic(link, name)
    # a client that waits for a response in a black hole may send nothing more
    effect = {"reset_peer": ended, "timeout": received or len(connections)}.get(kind, received)
    return f"{received} bytes of {len(connections)} connections, {ended} ended" if effect else ""


async def cut(world: World, one: Occurrence) -> str:
    """Closes a link's connections and refuses new ones."""
    count = len(world.links.connections([one.target]))
    await world.links.disable(one.target)
    try:
        await asyncio.sleep(one.lasts)
    finally:
        await world.links.enable(one.target)
    return f"{count} connections ended" if count else ""


async def provider(world: World, one: Occurrence, *, faults: Mapping[str, Any]) -> str:
    """Switches faults of the provider's responses on."""

    async def count() -> int:
        stats = await world.provider.get("/stats")
        return int(sum(stats["faults"].get(name, 0) for name in faults if name in COUNTED))

    before = await count()
    await world.provider.faults(**WEBHOOKS, **faults)

    try:
        await asyncio.sleep(one.lasts)
        calls = await count() - before
    finally:
        await world.provider.faults(**WEBHOOKS)
    return f"{calls} calls" if calls else ""


_ALL_LINKS: Final = tuple(link.name for link in LINKS)
_INNER: Final = tuple(name for name in _ALL_LINKS if name != PROVIDER)
_SLOW: Final = partial(toxic, kind="latency", attributes={"latency": 150, "jitter": 150})
_RESET: Final = partial(
    toxic, kind="reset_peer", attributes={"timeout": 0}, streams=("downstream",)
)
_BLACK_HOLE: Final = partial(toxic, kind="timeout", attributes={"timeout": 0})
_SLICED: Final = partial(
    toxic, kind="slicer", attributes={"average_size": 64, "size_variation": 32, "delay": 200}
)
_NARROW: Final = partial(toxic, kind="bandwidth", attributes={"rate": 20})
_FAILS: Final = partial(provider, faults={"error_500_before": 0.4, "error_500_after": 0.4})
_LIMITS: Final = partial(provider, faults={"rate_limit_429": 0.7})
_SILENT: Final = partial(provider, faults={"timeout_after": 0.6, "timeout_hold_s": 4.0})
_RESETS: Final = partial(provider, faults={"reset_before": 0.3, "reset_after": 0.4})

#: The durations leave a broker or Postgres the time to recover before the next of its kind.
FAULTS: Final[tuple[tuple[Kind, Inject], ...]] = (
    (Kind("stream killed", STREAMS, (5, 20), (1, 1)), killed),
    (Kind("stream asleep", STREAMS, (15, 30), (SESSION_S + 1.5, SESSION_S + 4), "silent"), paused),
    (
        Kind("stream cut off", ("first",), (25, 50), (SESSION_S + 1.5, SESSION_S + 4), "silent"),
        _BLACK_HOLE,
    ),
    (Kind("broker killed", BROKERS, (15, 35), (10, 10), "broker"), killed),
    (Kind("postgres restarted", (POSTGRES,), (20, 40), (3, 3)), restarted),
    (Kind("worker killed", WORKERS, (10, 30), (1, 1)), killed),
    (Kind("ingress killed", INGRESSES, (10, 30), (1, 1)), killed),
    (Kind("link slow", _ALL_LINKS, (3, 8), (3, 8)), _SLOW),
    (Kind("link reset", _ALL_LINKS, (4, 10), (1, 2)), _RESET),
    (Kind("link black hole", _INNER, (8, 20), (2, 5), "hole"), _BLACK_HOLE),
    (Kind("link sliced", _ALL_LINKS, (8, 20), (2, 5)), _SLICED),
    (Kind("link narrow", _ALL_LINKS, (8, 20), (2, 5)), _NARROW),
    (Kind("link cut", _INNER, (8, 20), (1, 3)), cut),
    (Kind("provider fails", ("provider",), (10, 30), (3, 5)), _FAILS),
    (Kind("provider limits", ("provider",), (10, 30), (3, 5)), _LIMITS),
    (Kind("provider silent", ("provider",), (10, 30), (3, 5)), _SILENT),
    (Kind("provider hangs up", ("provider",), (10, 30), (3, 5)), _RESETS),
    (Kind("provider gone", (PROVIDER,), (10, 30), (2, 5)), cut),
)  # fmt: skip


async def inject(
    world: World, schedule: Sequence[Occurrence], faults: Sequence[tuple[Kind, Inject]]
) -> None:
    """Injects a schedule's faults at their times from now on. Returns when the last has ended.

    A kind without any effect is then repeated on other targets, because a link may be idle.
    """
    began, functions = asyncio.get_running_loop().time(), {kind.name: what for kind, what in faults}
    with_effect: set[str] = set()

    async def one(occurrence: Occurrence) -> None:
        await asyncio.sleep(max(0.0, began + occurrence.at - asyncio.get_running_loop().time()))
        number, kind, target = world.history.number(), occurrence.kind, occurrence.target
        world.history.record(FaultBegan(number=number, kind=kind, target=target))
        what = await functions[kind](world, occurrence)
        world.history.record(FaultEnded(number=number, kind=kind, target=target, effect=what))
        if what:
            with_effect.add(kind)

    async with asyncio.TaskGroup() as group:
        for occurrence in schedule:
            group.create_task(one(occurrence))
    for kind, _ in faults:
        for target in itertools.islice(itertools.cycle(kind.targets), REPEATS_MAX):
            if kind.name not in with_effect:
                await one(Occurrence(0.0, kind.lasts_s[1], kind.name, target))


async def webhooks_affected(world: World) -> dict[str, int]:
    """By fault, how many webhooks it affected."""
    stats = await world.provider.get("/stats")
    return {name: int(stats["faults"].get(name, 0)) for name in ("duplicate", "reorder", "drop")}
