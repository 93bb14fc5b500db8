"""The domain, Postgres, JSON Schema and OpenAPI have the same enum values and transitions."""

import re
from enum import StrEnum
from typing import Any

import pytest
from pydantic import SecretStr

from domain.call_key import Operation
from domain.status import DisputeStatus, Outcome, RefundStatus, Status
from domain.transitions import FINAL, TRANSITIONS
from ingress.database import Database
from ingress.metrics import Metrics
from postgres.migrate import DIRECTORY
from schemas.results import ProviderResult
from tests.ingress.harness import NOWHERE, Log, application
from tests.schemas.examples import published_schema

MIGRATIONS = "\n".join(file.read_text() for file in sorted(DIRECTORY.glob("*.sql")))
_IN_SQL = re.compile(r"'([^']+)'")


def _after(beginning: str, end: str = r"\)\)") -> list[str]:
    """Returns the quoted words between two patterns, from all places in the migrations."""
    found = re.findall(f"{beginning}(.*?){end}", MIGRATIONS, re.DOTALL)
    assert found, f"no {beginning} in the migrations"
    return [word for part in found for word in _IN_SQL.findall(part)]


def test_the_transitions_in_postgres_are_the_domains() -> None:
    """Postgres has each transition once and no others."""
    words = _after(r"insert into allowed_transitions \(source, target\) values", ";")
    edges = list(zip(words[::2], words[1::2], strict=True))
    assert sorted(edges) == sorted((edge.source, edge.target) for edge in TRANSITIONS)


def test_the_statuses_in_postgres_are_the_domains() -> None:
    """Postgres has all statuses, and the same ones are final."""
    (values,) = re.findall(
        r"insert into payment_statuses \(status, final\) values(.*?);", MIGRATIONS, re.DOTALL
    )
    rows = re.findall(r"\('(\w+)', (true|false)\)", values)
    assert sorted(rows) == sorted((s.value, str(s in FINAL).lower()) for s in Status)
    guarded = _after(r"when \(old\.status in \(", r"\)")
    assert set(guarded) == FINAL


@pytest.mark.parametrize(
    ("table", "column", "words"),
    [
        ("refunds", "status", RefundStatus),
        ("disputes", "status", DisputeStatus),
        ("inbox", "outcome", Outcome),
    ],
)
def test_a_check_in_postgres_lists_the_domains_words(
    table: str, column: str, words: type[StrEnum]
) -> None:
    """A missing value would quarantine every payment that gets it."""
    beginning = rf"create table {table} \([^;]*?{column}\s+text not null check \({column} in\s*\("
    assert sorted(_after(beginning)) == sorted(words)


def test_operations_are_the_same_in_postgres_and_in_results() -> None:
    """The outbox and the results have the same operations."""
    in_postgres = _after(r"operation\s+text not null check \(operation in\s*\(")
    assert ProviderResult.model_fields["operation"].annotation is Operation
    assert sorted(in_postgres) == sorted(Operation)


def _document() -> dict[str, Any]:
    document: dict[str, Any] = application(Log(), Database(SecretStr(NOWHERE)), Metrics()).openapi()
    return document


@pytest.mark.parametrize("words", [Status, RefundStatus, DisputeStatus, Outcome])
def test_the_openapi_document_lists_the_domains_words(words: type[StrEnum]) -> None:
    """They are listed once, in the same order."""
    schema = _document()["components"]["schemas"][words.__name__]
    assert schema["enum"] == [word.value for word in words]


@pytest.mark.parametrize("words", [Status, RefundStatus, DisputeStatus])
def test_the_published_schema_lists_the_domains_words(words: type[StrEnum]) -> None:
    """These are all values that a consumer of ``payment-state`` can receive."""
    schema = published_schema("payment-state")["$defs"][words.__name__]
    assert schema["enum"] == [word.value for word in words]
