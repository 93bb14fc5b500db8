"""Rows as arrays, one per column, as statements take them."""

from collections.abc import Sequence
from typing import Any


def as_columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Returns rows as columns, for ``unnest``; ``width`` empty columns if there are no rows."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * width
