"""Plans the copies, and writes the statements that make them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import sql

from bench.year.staging import MARK, SCHEMA, Connection, Staged
from bench.year.templates import RECORDS_MAX, Template

#: Copies of special templates are this recent.
RECENT: Final = timedelta(hours=1)
YEAR: Final = timedelta(days=365)
MINUTE: Final = "%Y-%m-%dT%H:%M:"

COPIES: Final = """
    create unlogged table year_fill.copies as
    select number, template, shift,
        left(translate(encode(sha256(number::text::bytea), 'hex'), '0189', 'ghij'), 18) as token,
        to_char(%(minute)s::timestamptz + shift, 'YYYY-MM-DD"T"HH24:MI:') as minute,
        to_char(%(minute)s::timestamptz + shift + interval '1 day', 'YYYY-MM-DD"T"HH24:MI:')
            as next_day
    from (
        select n as number,
            (%(templates)s::int[])[1 + width_bucket(random(), %(until)s::float8[])] as template,
            floor(%(minutes)s::float8 * n / (1 + %(payments)s)) * interval '1 minute' as shift
        from generate_series(1, %(payments)s) as n
        union all
        select %(payments)s + row_number() over (order by random()), template,
            %(year)s::interval - floor(%(recent)s::float8 * random()) * interval '1 minute'
        from unnest(%(special)s::int[], %(wanted)s::int[]) as s(template, wanted),
            generate_series(1, wanted)) as planned
    order by number"""
COPY_INDEX: Final = "create unique index on year_fill.copies (number)"
ANALYZE: Final = "analyze year_fill.copies"


def placeholders(minute: datetime) -> list[str]:
    """The texts that copies replace in times: the templates' minute, and that of their expiry."""
    return [each.strftime(MINUTE) for each in (minute, minute + timedelta(days=1))]


def plan(
    connection: Connection,
    usual: Sequence[Template],
    special: Sequence[tuple[Template, int]],
    payments: int,
    minute: datetime,
) -> int:
    """Stores each copy's template, IDs and time. Returns the number of copies."""
    connection.execute("select setseed(0.5)")
    connection.execute(COPIES, _values(usual, special, payments, minute))
    connection.execute(COPY_INDEX)
    connection.execute(ANALYZE)
    return payments - len(usual) + sum(wanted for _, wanted in special)


def _values(
    usual: Sequence[Template],
    special: Sequence[tuple[Template, int]],
    payments: int,
    minute: datetime,
) -> dict[str, Any]:
    """The parameters of ``COPIES``: each payment's template is drawn by its share."""
    shares = [each.share or 0.0 for each in usual]
    return {
        "minute": minute,
        "payments": payments - len(usual),
        "templates": [each.number for each in usual],
        "until": [sum(shares[:n]) / sum(shares) for n in range(1, len(shares))],
        "minutes": (YEAR - RECENT) / timedelta(minutes=1),
        "year": YEAR,
        "recent": RECENT / timedelta(minutes=1),
        "special": [template.number for template, _ in special],
        "wanted": [wanted for _, wanted in special],
    }  # fmt: skip


def insertion(
    connection: Connection, one: Staged, staged: Sequence[Staged], placeholders_: Sequence[str]
) -> sql.Composed:
    """The statement that makes a table's rows of a range of copies."""
    replaced = dict(zip((MARK, *placeholders_), ("token", "minute", "next_day"), strict=True))
    values = []
    for column in one.columns:
        value: sql.Composable = sql.Identifier("s", column.name)
        if column.kind == "time":
            value = sql.SQL("{} + c.shift").format(value)
        elif column.kind == "number":
            step = _step(connection, column.name, staged)
            value = sql.SQL("{} + c.number * {}::bigint").format(value, step)
        elif column.kind == "offset":
            before = _step(connection, column.name, staged) // RECORDS_MAX + 1
            value = sql.SQL("{0} %% {1} + (c.number + {2}) * {1}::bigint").format(
                value, RECORDS_MAX, before
            )
        for text in column.varies:
            value = sql.SQL("replace({}, {}, {})").format(
                value, text, sql.Identifier("c", replaced[text])
            )
        if column.kind == "bytes":
            value = sql.SQL("convert_to({}, 'UTF8')").format(value)
        elif column.kind == "text" and column.type != "text":
            value = sql.SQL("({})::{}").format(value, sql.SQL(column.type))
        values.append(value)
    return sql.SQL("""
        insert into {table} ({columns}) select {values}
        from {copies} c join {rows} s using (template)
        where c.number between %s and %s""").format(
        table=sql.Identifier("public", one.table),
        columns=sql.SQL(", ").join(sql.Identifier(c.name) for c in one.columns),
        values=sql.SQL(", ").join(values),
        copies=sql.Identifier(SCHEMA, "copies"),
        rows=one.rows,
    )


def _step(connection: Connection, column: str, staged: Sequence[Staged]) -> int:
    """By how much the number differs between two copies: more than between two templates' rows."""
    found = [0]
    for each in staged:
        if column in {c.name for c in each.columns}:
            row = connection.execute(
                sql.SQL("select coalesce(max({}), 0) from {}").format(
                    sql.Identifier(column), each.rows
                )
            ).fetchone()
            found += row or ()
    return max(found) + 1
