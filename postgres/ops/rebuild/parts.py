"""The parts of a rebuild: ranges of payment IDs, or lists of them.

The ranges cover every text, so that no row is left out. IDs begin with ``pay_`` and are hashes, so
ranges of their next characters hold about as many payments each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from psycopg import AsyncConnection, sql

from postgres.ops.rebuild.values import value

Connection = AsyncConnection[tuple[Any, ...]]

#: How many payments a part has, about: one transaction decides them again, in memory.
PAYMENTS_PER_PART: Final = 2_000
_ID_CHARS: Final = "234567abcdefghijklmnopqrstuvwxyz"
_PREFIX: Final = "pay_"
_PREFIX_CHARS: Final = len(_PREFIX) + 3
PREFIXES: Final = tuple(_PREFIX + "".join(three) for three in product(_ID_CHARS, repeat=3))
#: Bytes of a row of payments, about, for tables that were never analyzed.
_ROW_BYTES: Final = 2_000

#: As the database sorts them: ranges are compared by it.
_SORTED: Final = "select prefix from unnest(%s::text[]) as p(prefix) order by prefix"
_ESTIMATE: Final = """
    select case when reltuples > 0 then reltuples
        else pg_relation_size(oid) / {row_bytes} end::bigint
    from pg_class where oid = {payments}::regclass"""


@dataclass(frozen=True, slots=True)
class Part:
    """Some payments: those of a list, or those from ``first`` up to, but not including, ``until``.

    The first range begins with the empty text, and the last one has no end.
    """

    number: int
    first: str = ""
    until: str | None = None
    payment_ids: Sequence[str] | None = None

    def has(self, *table: str) -> sql.Composed:
        """Returns the condition that a row of the table (or of the only one) is of this part."""
        name = sql.Identifier(*table, "payment_id")
        if self.payment_ids is not None:
            return sql.SQL("{} = any({})").format(name, sql.Literal(list(self.payment_ids)))
        return self._is_between(name)

    def has_call(self, calls: sql.Composable) -> sql.Composed:
        """Returns the same for the table ``calls``: a key begins with its payment's ID."""
        if self.payment_ids is None:
            return self._is_between(sql.Identifier("call_key"))
        return sql.SQL("""call_key = any(array(
            select found.call_key from unnest({}::text[]) as asked(id), lateral (
                select call_key from {}
                where call_key >= id || ':' and call_key < id || ';' offset 0
            ) as found))""").format(sql.Literal(list(self.payment_ids)), calls)

    def _is_between(self, name: sql.Composable) -> sql.Composed:
        if self.until is None:
            return sql.SQL("{} >= {}").format(name, sql.Literal(self.first))
        return sql.SQL("({0} >= {1} and {0} < {2})").format(
            name, sql.Literal(self.first), sql.Literal(self.until)
        )


#: The number of the part that has the payment with this ID, from a record's key. None: it is no ID.
Route = Callable[[bytes], int | None]


async def count_parts(connection: Connection, stored: str) -> int:
    """Returns into how many ranges the payments of the schema ``stored`` are best divided."""
    table = sql.Literal(f"{stored}.payments")
    statement = sql.SQL(_ESTIMATE).format(row_bytes=sql.Literal(_ROW_BYTES), payments=table)
    payments = int(await value(connection, statement))
    return min(max(1, payments // PAYMENTS_PER_PART), len(PREFIXES))


async def ranges(connection: Connection, count: int) -> list[Part]:
    """Returns this many ranges, in the order in which the database sorts texts."""
    prefixes = await _sorted_prefixes(connection)
    firsts = ["", *(prefixes[-(-n * len(prefixes) // count)] for n in range(1, count))]
    untils: list[str | None] = [*firsts[1:], None]
    return [
        Part(number, first, until)
        for number, (first, until) in enumerate(zip(firsts, untils, strict=True))
    ]


async def route_to_ranges(connection: Connection, count: int) -> Route:
    """Returns the route to one of this many ranges."""
    prefixes = await _sorted_prefixes(connection)
    parts: Mapping[bytes, int] = {
        prefix.encode(): at * count // len(prefixes) for at, prefix in enumerate(prefixes)
    }
    return lambda key: parts.get(key[:_PREFIX_CHARS])


def lists(payment_ids: Sequence[str], *, is_one: bool = False) -> list[Part]:
    """Returns these payments in lists, or in one."""
    ids = sorted(set(payment_ids))
    size = len(ids) if is_one else PAYMENTS_PER_PART
    starts = range(0, len(ids), max(1, size))
    return [
        Part(number, payment_ids=ids[start : start + size]) for number, start in enumerate(starts)
    ]


def route_to_lists(parts: Sequence[Part]) -> Route:
    """Returns the route to one of these lists."""
    numbers = {id_.encode(): part.number for part in parts for id_ in part.payment_ids or ()}
    return numbers.get


async def _sorted_prefixes(connection: Connection) -> list[str]:
    cursor = await connection.execute(_SORTED, [list(PREFIXES)])
    return [row[0] for row in await cursor.fetchall()]
