"""Wires the simulator's parts together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from sandbox.stripe_simulator.accounts.rate_limit import RateLimit
from sandbox.stripe_simulator.api.directory import Directory, Grant, Resident
from sandbox.stripe_simulator.api.idempotency import IdempotencyKeys
from sandbox.stripe_simulator.api.operations import OPERATIONS, Operation
from sandbox.stripe_simulator.api.pipeline import Pipeline
from sandbox.stripe_simulator.api.webhook_endpoints import install_preset
from sandbox.stripe_simulator.chance import Chance
from sandbox.stripe_simulator.clock import Clock
from sandbox.stripe_simulator.control.action_page import action_routes
from sandbox.stripe_simulator.control.control import control_routes
from sandbox.stripe_simulator.control.inspection import inspection_routes
from sandbox.stripe_simulator.control.lost_events import lost_event_routes
from sandbox.stripe_simulator.control.strangers import strangers_route
from sandbox.stripe_simulator.errors import ApiError
from sandbox.stripe_simulator.events import Journal
from sandbox.stripe_simulator.faults import FaultSwitch
from sandbox.stripe_simulator.settings import SimulatorSettings
from sandbox.stripe_simulator.storage.endpoints import Endpoints
from sandbox.stripe_simulator.storage.store import Store
from sandbox.stripe_simulator.timers import OFFSET_NOTE, Timers
from sandbox.stripe_simulator.webhooks.delivery import WebhookSender
from sandbox.stripe_simulator.world import World


class Gate:
    """The way into the accounts: each request goes to the pipeline of the account it is for."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._pipelines = {id(each): _pipeline(each) for each in directory.all}

    async def serve(self, operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. What is refused is answered at the default account."""
        access: Grant | ApiError
        try:
            access = self._directory.grant(Request(scope), operation.name)
            resident = access.resident
        except ApiError as error:
            access, resident = error, self._directory.default
        await self._pipelines[id(resident)].serve(operation, access, scope, receive, send)


class OperationEndpoint:
    """One operation as an ASGI application."""

    def __init__(self, operation: Operation, gate: Gate) -> None:
        self._operation = operation
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._gate.serve(self._operation, scope, receive, send)


def create_app(settings: SimulatorSettings) -> Starlette:
    """The simulator as an ASGI application, which also runs its webhooks and timers."""
    worlds = make_worlds(settings)
    senders = {id(world): WebhookSender(world) for world in worlds}
    timers = Timers(worlds, lambda world, due: senders[id(world)].release(due))
    directory = Directory([Resident(w, senders[id(w)], _limit(w)) for w in worlds])
    gate = Gate(directory)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = [*(sender.run() for sender in senders.values()), timers.run()]
        tasks = [asyncio.create_task(each) for each in running]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for world in worlds:
                world.store.close()

    routes: list[BaseRoute] = [
        Route(item.path, OperationEndpoint(item, gate), methods=[item.method])
        for item in OPERATIONS
    ]
    routes += control_routes(directory, timers)
    routes += inspection_routes(directory)
    routes.append(strangers_route(directory))
    routes += lost_event_routes(directory)
    routes += action_routes(directory)
    return Starlette(routes=routes, lifespan=lifespan)


def make_worlds(settings: SimulatorSettings) -> list[World]:
    """The worlds of all accounts, the default one first; they share clock and faults."""
    accounts = (settings.own_account, *settings.accounts)
    # The default account's file and draws are those of a simulator that has no other.
    names = [None, *(f"{each.id}.{each.mode}" for each in settings.accounts)]
    stores = [
        Store(settings.state_dir, name, is_live=each.is_live)
        for each, name in zip(accounts, names, strict=True)
    ]
    clock = Clock(float(stores[0].read_note(OFFSET_NOTE) or 0.0))
    faults = FaultSwitch(settings.faults)
    worlds = []
    for account, name, store in zip(accounts, names, stores, strict=True):
        chance = Chance(settings.seed if name is None else f"{settings.seed} {name}")
        platforms = [
            other
            for each, other in zip(accounts, stores, strict=True)
            if account.id in each.connected and account.mode == each.mode
        ]
        journal = Journal(store, clock, chance, faults, Endpoints(store, platforms))
        worlds.append(World(settings, account, store, clock, chance, faults, journal))
    for world in worlds:
        install_preset(world)
    return worlds


def _limit(world: World) -> RateLimit:
    account, settings = world.account, world.settings
    return RateLimit(
        account.requests_per_s or settings.requests_per_s,
        account.endpoint_requests_per_s or settings.endpoint_requests_per_s,
    )


def _pipeline(resident: Resident) -> Pipeline:
    world = resident.world
    age_s = world.settings.idempotency_key_age_s
    return Pipeline(resident, IdempotencyKeys(world.store, world.clock, age_s))
