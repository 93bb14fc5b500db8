"""Rows and bytes in store, by table and index."""

from dataclasses import dataclass
from typing import Final

import psycopg

from bench.figures.report import table

#: Partitions count for their table, an index's parts for the index.
SIZES: Final = """
    with leaves as (
        select r.relname, t.relid, r.oid as root
        from pg_class r, pg_partition_tree(r.oid) t
        where r.relnamespace = 'public'::regnamespace and r.relkind = 'p' and t.isleaf
            and not r.relispartition
        union all
        select r.relname, r.oid, r.oid from pg_class r
        where r.relnamespace = 'public'::regnamespace and r.relkind = 'r'
            and not r.relispartition)
    select l.relname, '', sum(greatest(c.reltuples, 0))::bigint,
        sum(pg_relation_size(l.relid))::bigint,
        sum(pg_table_size(l.relid) - pg_relation_size(l.relid))::bigint
    from leaves l join pg_class c on c.oid = l.relid group by l.relname
    union all
    select l.relname, coalesce(p.inhparent, i.indexrelid)::regclass::text, 0,
        sum(pg_relation_size(i.indexrelid))::bigint, 0
    from leaves l join pg_index i on i.indrelid = l.relid
    left join pg_inherits p on p.inhrelid = i.indexrelid
    group by 1, 2
    order by 1, 2"""


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a table, or of an index of it; ``other_bytes`` are those of TOAST and maps."""

    table: str
    index: str
    rows: int
    bytes: int
    other_bytes: int


def sizes(database_url: str) -> list[Size]:
    """The sizes of all tables and their indexes, as of the last vacuum."""
    with psycopg.connect(database_url) as connection:
        return [Size(*row) for row in connection.execute(SIZES)]


def per_payment(found: list[Size], payments: int) -> dict[str, float]:
    """Bytes per payment: tables with their TOAST, indexes, and both."""
    tables = sum(s.bytes + s.other_bytes for s in found if not s.index) / payments
    indexes = sum(s.bytes for s in found if s.index) / payments
    return {
        "table_bytes": tables,
        "index_bytes": indexes,
        "stored_bytes": tables + indexes,
    }


def as_markdown(found: list[Size], payments: int) -> str:
    """A table of rows and bytes per payment; the smallest are left out."""
    rows = []
    for size in found:
        if size.bytes >= payments:
            count = f"{size.rows / payments:,.2f}" if not size.index else ""
            name = f"  {size.index}" if size.index else size.table
            toast = f"{size.other_bytes / payments:,.0f}" if not size.index else ""
            rows.append([name, count, f"{size.bytes / payments:,.0f}", toast])
    total = per_payment(found, payments)
    rows.append(["all tables", "", f"{total['table_bytes']:,.0f}", ""])
    rows.append(["all indexes", "", f"{total['index_bytes']:,.0f}", ""])
    return table(["per payment", "rows", "bytes", "TOAST"], rows)
