"""How Postgres executes the service's statements: each is explained before it is executed."""

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

_EXPLAIN: Final = b"explain (analyze, buffers, format json) "
_EXPLAINED: Final = ("select", "insert", "update", "delete", "with")
_SORTS: Final = frozenset({"Sort", "Incremental Sort"})

#: What the filler does not make.
FURTHER: Final = {
    "dead_letters": """insert into dead_letters
        select 'provider-webhooks', 0, n, 'no JSON', now() - interval '1 minute' * n
        from generate_series(1, %s) n""",
    "ignored_webhooks": """insert into ignored_webhooks
        select 'evt_' || n, 'stripe', 'payout.paid', '', now(), now() - interval '1 minute' * n
        from generate_series(1, %s) n""",
    "published_parts": """insert into published_parts
        select 're_' || n, now() - interval '1 minute' * n from generate_series(1, %s) n""",
    "notices": """insert into notices
        select 'evt_' || n, 'stripe', 'a.kind', null, now(), now() - interval '1 minute' * n, 1,
            null, null, 'looked', 'why'
        from generate_series(1, %s) n""",
    "looks": """insert into looks
        select payment_id, provider, object_id, version, now() + interval '1 minute', null, 3
        from payments where status = 'SUCCEEDED' limit %s""",
}
#: Inputs, half as many repetitions, and as many calls as one payment can have.
ENTRIES: Final = 2_000
LONG_TIMELINE: Final = (
    """insert into inbox (event_id, payment_id, kind, topic, partition, "offset", received_at,
               recorded_at, outcome, reason)
           select 'evt_long_' || n, payment_id, 'charge.updated', 'provider-webhooks', 0,
               4000000000 + n, created_at, created_at + interval '1 second' * (n / 3), 'stale', ''
           from payments, generate_series(1, %s) n where payment_id = %s""",
    """insert into duplicates (topic, partition, "offset", event_id, payment_id, received_at,
               recorded_at)
           select 'provider-webhooks', 0, 5000000000 + n, 'evt_long_' || n, payment_id,
               created_at, created_at + interval '1 second' * n
           from payments, generate_series(1, %s / 2) n where payment_id = %s""",
)
#: Tables that stay small: what they hold leaves, or there is one row of it for each of something.
SMALL: Final = frozenset({
    "publications", "unpublished_versions", "quarantines", "cursors", "rate_budgets",
    "open_matters", "dead_letter_replays",
    "payment_statuses", "allowed_transitions",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """One execution: what it returned, what it read for that, and how."""

    statement: str
    returned: int
    #: Rows that its scans looked at, those that a filter removed included.
    read: int
    #: Tables that were read as a whole.
    whole_tables: frozenset[str]
    #: Whether a sort did not fit into memory.
    spills: bool


class ExplainingCursor(psycopg.AsyncCursor[Any]):
    """Explains each statement with its real parameters; the explained execution is undone."""

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """See psycopg's."""
        if isinstance(query, sql.Composable):
            query = query.as_bytes(self.connection)
        text = query if isinstance(query, str) else bytes(query).decode()
        connection = self.connection
        is_inside = connection.info.transaction_status is TransactionStatus.INTRANS
        if (is_inside or not connection.autocommit) and text.lstrip().startswith(_EXPLAINED):
            assert isinstance(connection, ExplainingConnection)
            async with psycopg.AsyncCursor(connection) as explaining:
                await explaining.execute("savepoint explained")
                await explaining.execute(_EXPLAIN + text.encode(), params)
                ((found,),) = await explaining.fetchall()
                await explaining.execute("rollback to savepoint explained")
            connection.plans.append(_plan_of(text, found[0]["Plan"]))
        return await super().execute(query, params, **options)


class ExplainingConnection(psycopg.AsyncConnection[Any]):
    """Has the plan of every statement that was executed, in order."""

    plans: list[Plan]

    @classmethod
    async def to(cls, url: str) -> "ExplainingConnection":
        """Connects."""
        connection = await cls.connect(url, cursor_factory=ExplainingCursor)
        connection.plans = []
        return connection

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator[Any]:
        """No pipeline: each plan is read before the next statement."""
        yield None


def _plan_of(statement: str, plan: Mapping[str, Any]) -> Plan:
    nodes = list(_nodes(plan))
    return Plan(
        statement=statement,
        returned=int(plan["Actual Rows"]) or _written(plan),
        read=round(sum(_read(node) for node in nodes if "Relation Name" in node)),
        whole_tables=frozenset(
            node["Relation Name"]
            for node in nodes
            if node["Node Type"] == "Seq Scan" and _read(node)  # not if the table is empty
        ),
        spills=any(
            node.get("Sort Space Type") == "Disk" for node in nodes if node["Node Type"] in _SORTS
        ),
    )


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _read(node: Mapping[str, Any]) -> float:
    if node["Node Type"] == "ModifyTable":
        return 0.0
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    rows = node["Actual Rows"] + sum(node.get(name, 0) for name in removed)
    return float(rows * node["Actual Loops"])


def _written(plan: Mapping[str, Any]) -> int:
    """Rows that the statement wrote, for one that returns none."""
    return max((int(child["Actual Rows"]) for child in plan.get("Plans", ())), default=0)


def statements_of(package: ModuleType, without: str) -> dict[str, str]:
    """Every statement of a package, by module and name; templates are executed under other names.

    ``without`` is how the names of modules begin that are left out.
    """
    found = {}
    for module in _modules(package, without):
        for name, value in vars(module).items():
            texts = value if isinstance(value, dict) else {"": value}
            for key, text in texts.items():
                if (
                    isinstance(text, str)
                    and re.match(r"\s*(select|insert|update|delete|with)\b", text)
                    and not re.search(r"\{\w+\}", text)
                ):
                    where = f"{module.__name__.partition('.')[2]}.{name}"
                    found[f"{where}.{key}" if key else where] = text
    return found


def _modules(package: ModuleType, without: str) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.name.startswith(without):
            yield importlib.import_module(found.name)
