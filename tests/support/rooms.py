"""The product's modules, for tests that scan all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
#: Every package of the product except the providers' adapters. The sandbox is no product.
ROOMS: Final = (
    "cli", "decisions", "domain", "ingress", "messaging", "ports", "postgres", "processor",
    "runtime", "schemas",
)  # fmt: skip


def modules(*rooms: str) -> Iterator[Path]:
    """Every module of these packages, or of all."""
    for room in rooms or ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))
