"""Fixtures of the simulator's tests."""

from collections.abc import Iterator

import pytest

from tests.simulator.harness import Simulator, running


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[Simulator]:
    """One simulator for all tests that need no other settings."""
    with running() as started:
        yield started


@pytest.fixture
def simulator(shared_simulator: Simulator) -> Simulator:
    """The shared simulator, reset and without faults, and a receiver for its webhooks."""
    shared_simulator.settle()
    shared_simulator.control("reset")
    shared_simulator.receiver.received.clear()
    return shared_simulator
