"""The chaos run needs Go, to build toxiproxy: where that can't be had, it is all that is said."""

import pytest

from sandbox.errors import SandboxError
from tests.chaos.stack import toxiproxy


@pytest.fixture(scope="session")
def toxiproxy_is_built() -> None:
    """Once for all tests."""
    try:
        toxiproxy.built()
    except SandboxError as error:
        pytest.exit(str(error), returncode=1)
