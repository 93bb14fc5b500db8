"""Serves the simulator."""

import uvicorn

from sandbox.stripe_simulator.api.connection import BreakableProtocol
from sandbox.stripe_simulator.app import create_app
from sandbox.stripe_simulator.settings import SimulatorSettings


def create_server(settings: SimulatorSettings) -> uvicorn.Server:
    """A server for the simulator, not yet started.

    It adds no ``Date`` header, because the application sets the simulator's time.
    """
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http=BreakableProtocol,
        loop="uvloop",
        lifespan="on",
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)
