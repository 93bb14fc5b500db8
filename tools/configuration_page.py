"""Writes docs/configuration.md: `python -m tools.configuration_page`.

The one place that knows the settings of all: the service's own, the sandbox's, the simulator's.
"""

import sys
from pathlib import Path
from typing import Final

from sandbox.settings import SandboxSettings
from sandbox.stripe_simulator.settings import SimulatorSettings
from schemas.settings import GROUPS
from tools.configuration import Section, page

PATH: Final = Path(__file__).parents[1] / "docs" / "configuration.md"
COMMAND: Final = "python -m tools.configuration_page"

_ABOUT: Final = (
    "Everything that can be set is an environment variable. A wrong, a missing or a misspelt one "
    "stops the start, and the message names it; no secret has a default. Names that end in `_S` "
    "are in seconds.\n\n"
    f"`{COMMAND}` writes this page from the settings themselves, and a test holds it equal."
)
_SECTIONS: Final = (
    Section(
        "The service",
        "Each program reads the groups it needs ([schemas/settings.py](../schemas/settings.py)).",
        GROUPS,
    ),
    Section(
        "The sandbox",
        "Where `make run` keeps its state and on which ports it runs "
        "([sandbox/settings.py](../sandbox/settings.py)).",
        (SandboxSettings,),
    ),
    Section(
        "The Stripe simulator",
        "`make run` sets its addresses and secrets; faults and seed are the person's to choose "
        "([settings.py](../sandbox/stripe_simulator/settings.py)).",
        (SimulatorSettings,),
    ),
)


def text() -> str:
    """The page."""
    return page("Configuration", _ABOUT, _SECTIONS)


if __name__ == "__main__":
    PATH.write_text(text())
    sys.stdout.write(f"{PATH}\n")
