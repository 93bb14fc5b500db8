"""``python -m tools.configuration_page`` writes docs/configuration.md.

It covers the settings of the service, of the sandbox and of the Stripe simulator.
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
    "All settings are environment variables. A wrong, missing or misspelt variable prevents "
    "start-up: the error names it, and the exit code is 2. No secret has a default. Names that end "
    "in `_S` are in seconds, at most 100 years.\n\n"
    f"`{COMMAND}` generates this page from the settings; a test keeps it up to date."
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
        "`make run` sets its addresses and secrets; faults and seed are yours to choose "
        "([settings.py](../sandbox/stripe_simulator/settings.py)).",
        (SimulatorSettings,),
    ),
)


def text() -> str:
    """Returns the page."""
    return page("Configuration", _ABOUT, _SECTIONS)


if __name__ == "__main__":
    PATH.write_text(text())
    sys.stdout.write(f"{PATH}\n")
