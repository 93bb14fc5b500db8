"""Finds each template's rows in every table, and prepares them for multiplication.

It knows no table and few columns: a row belongs to a template if it has one of its IDs, or the
publication of a row that does. The rows are copied into a schema of their own, where the part of
each ID that makes it unique is replaced by ``MARK``.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

from bench.errors import BenchError
from bench.year.templates import Template

SCHEMA: Final = "year_fill"
DROP: Final = "drop schema year_fill cascade"
#: Stands for 18 characters of every ID: those after its prefix. The others tell a payment's IDs of
#: one kind apart.
MARK: Final = "UNIQUEUNIQUEUNIQUE"
_ID: Final = r"([a-z]{2,4}_)[A-Za-z0-9]{18}([A-Za-z0-9]{6,})"
_IN_TEXT: Final = re.compile(rf"(?<![A-Za-z0-9_]){_ID}")
#: An operation's ID goes on with its command's.
_COMMAND_IN_ID: Final = rf"(\mop_{MARK}[a-z2-7]{{12}}_)[a-z2-7]{{18}}([a-z2-7]{{8}})"
#: Numbers that a copy can't share with its template.
NUMBERS: Final = ("publication_id", "decided")
#: Each template has offsets of its own, and so has each copy: as few as there can be.
OFFSET: Final = "offset"
#: Connects the rows that have no ID.
LINK: Final = "publication_id"

Connection = psycopg.Connection[Any]

TABLES: Final = """
    select oid::int, relname from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
    order by relname"""
COLUMNS: Final = """
    select attname, format_type(atttypid, atttypmod),
        case when typname in ('json', 'jsonb') or typcategory in ('S', 'A') then 'text'
            when typname = 'bytea' then 'bytes'
            when typname in ('timestamptz', 'timestamp', 'date') then 'time'
            else 'other' end
    from pg_attribute join pg_type t on t.oid = atttypid
    where attrelid = %s and attnum > 0 and not attisdropped and attgenerated = ''
        and attidentity = ''
    order by attnum"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, and how a copy's value differs from the template's.

    Args:
        name: of the column.
        type: as SQL writes it.
        kind: text and bytes may contain IDs, a time moves, a number is made unique.
        varies: the placeholders that it contains.
    """

    name: str
    type: str
    kind: str
    varies: tuple[str, ...] = ()

    @property
    def is_random(self) -> bool:
        """Whether each copy's value begins anywhere among those of the others, as an ID does."""
        return MARK in self.varies


@dataclass(frozen=True, slots=True)
class Staged:
    """A table with rows of templates, and its columns. ``bytes`` is the size of the rows."""

    table: str
    columns: tuple[Column, ...]
    bytes: int

    @property
    def rows(self) -> sql.Identifier:
        """The table of its templates' rows."""
        return sql.Identifier(SCHEMA, self.table)


def filled(connection: Connection) -> frozenset[str]:
    """The tables that have rows."""
    return frozenset(
        name
        for _, name in connection.execute(TABLES).fetchall()
        if connection.execute(
            sql.SQL("select 1 from {} limit 1").format(sql.Identifier("public", name))
        ).fetchone()
    )


def stage(
    connection: Connection,
    templates: Sequence[Template],
    static: frozenset[str],
    placeholders: Sequence[str],
) -> list[Staged]:
    """Prepares the rows of all tables that are not ``static``, and returns these tables.

    The rows of special templates are removed from the tables: their times are not a copy's.
    ``placeholders`` are further texts that copies replace. Raises BenchError for a row of no
    template.
    """
    connection.execute("create schema year_fill")
    names = {name: oid for oid, name in connection.execute(TABLES).fetchall() if name not in static}
    owners = _owners(templates, {name: _rows(connection, name) for name in names})
    special = {each.number for each in templates if each.share is None}
    staged = []
    for name, found in owners.items():
        if found:
            columns = [Column(*row) for row in connection.execute(COLUMNS, [names[name]])]
            staged.append(_stage(connection, name, columns, found, placeholders))
            _remove(connection, name, [at for at, number in found.items() if number in special])
    return staged


@dataclass(frozen=True, slots=True)
class _Row:
    at: tuple[int, str]
    ids: frozenset[str]
    link: int | None


def _rows(connection: Connection, name: str) -> list[_Row]:
    statement = sql.SQL("select tableoid::int, ctid::text, to_jsonb(t)::text from {} t").format(
        sql.Identifier("public", name)
    )
    return [
        _Row(
            (oid, tid),
            frozenset(each.group() for each in _IN_TEXT.finditer(text)),
            json.loads(text).get(LINK),
        )
        for oid, tid, text in connection.execute(statement)
    ]


def _owners(
    templates: Iterable[Template], tables: Mapping[str, Sequence[_Row]]
) -> dict[str, dict[tuple[int, str], int]]:
    """The template of each row, by table and the row's place."""
    ids: dict[str, int] = {each.seed: each.number for each in templates}
    links: dict[int, int] = {}
    found: dict[str, dict[tuple[int, str], int]] = {name: {} for name in tables}
    has_grown = True
    while has_grown:
        has_grown = False
        for name, rows in tables.items():
            for row in rows:
                owner = next((ids[each] for each in row.ids if each in ids), None)
                if owner is None and not row.ids and row.link is not None:
                    owner = links.get(row.link)
                if owner is None or row.at in found[name]:
                    continue
                found[name][row.at] = owner
                ids |= dict.fromkeys(row.ids, owner)
                if row.link is not None:
                    links[row.link] = owner
                has_grown = True
    for name, rows in tables.items():
        if lost := len(rows) - len(found[name]):
            raise BenchError(f"{lost} rows of {name} belong to no template: see bench/year/staging")
    return found


def _stage(
    connection: Connection,
    name: str,
    columns: Sequence[Column],
    owners: Mapping[tuple[int, str], int],
    placeholders: Sequence[str],
) -> Staged:
    places = [(oid, tid, template) for (oid, tid), template in owners.items()]
    rows, public = sql.Identifier(SCHEMA, name), sql.Identifier("public", name)
    connection.execute(
        sql.SQL("""
            create unlogged table {rows} as select template, {columns} from {public} t
            join unnest(%s::oid[], %s::text[], %s::int[]) as p(oid, tid, template)
                on t.tableoid = p.oid and t.ctid = p.tid::tid
            order by t.tableoid, t.ctid""").format(
            rows=rows, public=public, columns=sql.SQL(", ").join(map(_as_text, columns))
        ),
        list(map(list, zip(*places, strict=True))),
    )
    texts = [c for c in columns if c.kind in {"text", "bytes"}]
    if texts:
        connection.execute(
            sql.SQL("update {} set {}").format(
                rows,
                sql.SQL(", ").join(
                    sql.SQL(
                        "{0} = regexp_replace(regexp_replace({0}, {1}, {3}, 'g'), {2}, {3}, 'g')"
                    ).format(sql.Identifier(c.name), rf"\m{_ID}", _COMMAND_IN_ID, rf"\1{MARK}\2")
                    for c in texts
                ),
            )
        )
    connection.execute(sql.SQL("create index on {} (template)").format(rows))
    connection.execute(sql.SQL("vacuum analyze {}").format(rows))
    bytes_ = connection.execute(
        sql.SQL("select sum(pg_column_size(t))::bigint from {} t").format(rows)
    ).fetchone()
    checked = tuple(_checked(connection, rows, each, (MARK, *placeholders)) for each in columns)
    return Staged(name, checked, bytes_[0] if bytes_ else 0)


def _remove(connection: Connection, name: str, places: Sequence[tuple[int, str]]) -> None:
    connection.execute(
        sql.SQL("""
            delete from {} t using unnest(%s::oid[], %s::text[]) as p(oid, tid)
            where t.tableoid = p.oid and t.ctid = p.tid::tid""").format(
            sql.Identifier("public", name)
        ),
        [[oid for oid, _ in places], [tid for _, tid in places]],
    )


def _as_text(column: Column) -> sql.Composed:
    name = sql.Identifier(column.name)
    if column.kind == "text":
        return sql.SQL("{0}::text as {0}").format(name)
    if column.kind == "bytes":
        return sql.SQL("convert_from({0}, 'UTF8') as {0}").format(name)
    return sql.SQL("{}").format(name)


def _checked(
    connection: Connection, rows: sql.Identifier, column: Column, placeholders: Sequence[str]
) -> Column:
    """The column with the placeholders that any of its rows contains."""
    if column.kind == "other" and column.name in NUMBERS:
        return Column(column.name, column.type, "number")
    if column.kind == "other" and column.name == OFFSET:
        return Column(column.name, column.type, "offset")
    if column.kind not in {"text", "bytes"}:
        return column
    found = connection.execute(
        sql.SQL("select {} from {}").format(
            sql.SQL(", ").join(
                sql.SQL("coalesce(bool_or(strpos({}, {}) > 0), false)").format(
                    sql.Identifier(column.name), each
                )
                for each in placeholders
            ),
            rows,
        )
    ).fetchone()
    varies = tuple(p for p, is_in in zip(placeholders, found or (), strict=True) if is_in)
    return Column(column.name, column.type, column.kind, varies)
