"""Builds toxiproxy for the chaos run. Without Go the session stops with a message."""

import pytest

from sandbox.errors import SandboxError
from tests.chaos.stack import toxiproxy


@pytest.fixture(scope="session")
def toxiproxy_is_built() -> None:
    """Builds toxiproxy once for all tests."""
    try:
        toxiproxy.built()
    except SandboxError as error:
        pytest.exit(str(error), returncode=1)
