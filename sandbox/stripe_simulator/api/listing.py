"""Stripe's lists: newest first, a page at a time, before or after a cursor.

Source: https://docs.stripe.com/api/pagination
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.stripe_simulator.errors import ParameterError, ResourceMissingError
from sandbox.stripe_simulator.params import Params
from sandbox.stripe_simulator.storage.store import Store, decode
from sandbox.stripe_simulator.storage.types import JsonObject

LIMIT_MAX = 100
_LIMIT = 10
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(slots=True)
class Filter:
    """A query's conditions and their values. The conditions are constants of this program."""

    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, condition: str, *values: Any) -> None:
        """Require one more condition."""
        self.conditions.append(condition)
        self.values += values


def add_created(filters: Filter, params: Params) -> None:
    """Add the ``created`` parameter's condition: an instant, or the bounds of a range."""
    given = params.values.get("created")
    if isinstance(given, str) and given:
        filters.add("created = ?", params.required_integer("created"))
        return
    for name, value in params.hash("created").items():
        bound = Params({name: value}, _COMPARISONS).required_integer(name)
        filters.add(f"created {_COMPARISONS[name]} ?", bound)


def page(
    store: Store,
    *,
    table: Literal["objects", "events"],
    noun: str,
    url: str,
    params: Params,
    filters: Filter,
    show: Callable[[JsonObject], JsonObject] = lambda body: body,
    columns: str = "body",
) -> JsonObject:
    """One page of a list, newest first.

    ``starting_after`` returns the objects older than the cursor, ``ending_before`` the nearest
    newer ones; ``has_more`` says whether there are more in that direction.

    Raises:
        ParameterError: the limit is out of bounds, or both cursors are given.
        ResourceMissingError: a cursor names no object.
    """
    limit = page_size(params)
    after, before = params.text("starting_after"), params.text("ending_before")
    if after is not None and before is not None:
        raise ParameterError(
            "You cannot provide both starting_after and ending_before.", param="ending_before"
        )
    if after is not None:
        filters.add("seq < ?", _position(store, table, noun, after, "starting_after"))
    if before is not None:
        filters.add("seq > ?", _position(store, table, noun, before, "ending_before"))
    where = " and ".join(filters.conditions) or "true"
    order = "asc" if before is not None else "desc"
    rows = store.rows(
        f"select {columns} from {table} where {where} order by seq {order} limit ?",  # noqa: S608 - constants only
        (*filters.values, limit + 1),
    )
    bodies = [show(decode(body)) for (body,) in rows[:limit]]
    if before is not None:
        bodies.reverse()
    return {"object": "list", "data": bodies, "has_more": len(rows) > limit, "url": url}


def page_size(params: Params) -> int:
    """The ``limit`` parameter. Raises ParameterError."""
    limit = params.integer("limit")
    if limit is None:
        return _LIMIT
    if not 1 <= limit <= LIMIT_MAX:
        raise ParameterError(
            f"This value must be between 1 and {LIMIT_MAX}.",
            code="parameter_invalid_integer",
            param="limit",
        )
    return limit


def _position(store: Store, table: str, noun: str, object_id: str, param: str) -> int:
    row = store.row(
        f"select seq from {table} where id = ?",  # noqa: S608 - one of two constants
        (object_id,),
    )
    if row is None:
        raise ResourceMissingError(noun, object_id, param=param, in_path=False)
    return int(row[0])
