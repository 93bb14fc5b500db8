"""The consumer group's name, importable without quix-streams."""

from typing import Final

GROUP: Final = "bench-quix"
