"""Where the product's code is, for tests that look through all of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
#: Every room of the product but the adapters of providers; what a laptop needs is none.
ROOMS: Final = (
    "cli", "decisions", "domain", "ingress", "messaging", "ports", "postgres", "processor",
    "runtime", "schemas",
)  # fmt: skip


def modules(*rooms: str) -> Iterator[Path]:
    """Every module of these rooms, or of all."""
    for room in rooms or ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))
