"""Wires the simulator's parts together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from sandbox.stripe_simulator.api.idempotency import IdempotencyKeys
from sandbox.stripe_simulator.api.operations import OPERATIONS, Operation
from sandbox.stripe_simulator.api.pipeline import Pipeline
from sandbox.stripe_simulator.api.webhook_endpoints import install_preset
from sandbox.stripe_simulator.chance import Chance
from sandbox.stripe_simulator.clock import Clock
from sandbox.stripe_simulator.control.action_page import action_routes
from sandbox.stripe_simulator.control.control import control_routes
from sandbox.stripe_simulator.control.inspection import inspection_routes
from sandbox.stripe_simulator.control.strangers import strangers_route
from sandbox.stripe_simulator.events import Journal
from sandbox.stripe_simulator.faults import FaultSwitch
from sandbox.stripe_simulator.settings import SimulatorSettings
from sandbox.stripe_simulator.storage.store import Store
from sandbox.stripe_simulator.timers import OFFSET_NOTE, Timers
from sandbox.stripe_simulator.webhooks.delivery import WebhookSender
from sandbox.stripe_simulator.world import World


class OperationEndpoint:
    """One operation as an ASGI application."""

    def __init__(self, operation: Operation, pipeline: Pipeline) -> None:
        self._operation = operation
        self._pipeline = pipeline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._pipeline.serve(self._operation, scope, receive, send)


def create_app(settings: SimulatorSettings) -> Starlette:
    """The simulator as an ASGI application, which also runs its webhooks and timers."""
    store = Store(settings.state_dir)
    clock = Clock(float(store.read_note(OFFSET_NOTE) or 0.0))
    chance = Chance(settings.seed)
    faults = FaultSwitch(settings.faults)
    journal = Journal(store, clock, chance, faults)
    world = World(settings, store, clock, chance, faults, journal)
    install_preset(world)
    sender = WebhookSender(world)
    timers = Timers(world, sender.release)
    keys = IdempotencyKeys(store, clock, settings.idempotency_key_age_s)
    pipeline = Pipeline(world, keys, sender)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(sender.run()), asyncio.create_task(timers.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            store.close()

    routes: list[BaseRoute] = [
        Route(item.path, OperationEndpoint(item, pipeline), methods=[item.method])
        for item in OPERATIONS
    ]
    routes += control_routes(world, sender, timers)
    routes += inspection_routes(world, sender)
    routes.append(strangers_route(world))
    routes += action_routes(world, sender)
    return Starlette(routes=routes, lifespan=lifespan)
