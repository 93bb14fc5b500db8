"""Valid and invalid requests generated from the OpenAPI document, against a server and Postgres.

No response is a 5xx; each has a documented status, content type and body.
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ingress.database import Database
from ingress.metrics import Metrics
from sandbox.supervision.ports import HOST, free_ports
from tests.ingress.harness import TENANT_KEYS, Log, application

EXAMPLES = 12
STARTED_WITHIN_S = 20.0
OPERATIONS = [
    ("POST", "/v1/payments"),
    ("GET", "/v1/payments"),
    ("GET", "/v1/payments/{id}"),
    ("GET", "/v1/payments/{id}/timeline"),
    ("GET", "/v1/payments/{id}/client-secret"),
    ("GET", "/v1/operations/{id}"),
    ("POST", "/v1/payments/{id}/confirm"),
    ("POST", "/v1/payments/{id}/capture"),
    ("POST", "/v1/payments/{id}/cancel"),
    ("POST", "/v1/payments/{id}/refunds"),
    ("POST", "/webhooks/{provider}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
]
CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def address(database_url: str) -> Iterator[str]:
    """The URL of a running ingress with a fake log and the real store."""
    (port,) = free_ports(1)
    database = Database(SecretStr(database_url))
    app = application(Log(), database, Metrics(), resources=(database,))
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def document(address: str) -> dict[str, Any]:
    """The served document."""
    served: dict[str, Any] = httpx.get(f"{address}/openapi.json").json()
    return served


def test_every_operation_is_in_the_table(document: dict[str, Any]) -> None:
    """A new operation must be added to the table."""
    documented = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }
    assert documented == set(OPERATIONS)


MODES = [
    (method, path, mode)
    for method, path in OPERATIONS
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or path.startswith(("/v1", "/webhooks"))
]


@pytest.mark.parametrize(("method", "path", "mode"), MODES)
def test_every_response_is_documented(
    address: str, document: dict[str, Any], method: str, path: str, mode: GenerationMode
) -> None:
    """This holds for requests that follow the document and for those that violate it."""
    operation = schemathesis.openapi.from_dict(document)[path][method]
    key = {"Authorization": f"Bearer {TENANT_KEYS['acme']}"}

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), with_key=st.sampled_from([1, 1, 1, 0]))
    def check(case: Any, with_key: int) -> None:
        response = case.call(base_url=address, headers=key if with_key else None)
        case.validate_response(response, checks=CHECKS)

    check()
