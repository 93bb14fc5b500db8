"""Generators make clients of the document alone, and shops on them work against the service."""

from pathlib import Path
from typing import Any, Final

import pytest

from tests.service.clients import made
from tests.service.stack import Stack

pytestmark = made.needs_generators

#: What both shops print: a payment, a declined one, and a request with a wrong amount.
EXPECTED: Final[dict[str, Any]] = {
    "paid": {"status": "SUCCEEDED", "captured": 1999},
    "declined": {"status": "FAILED", "code": "generic_decline"},
    "wrong": {"type": "/problems/invalid-fields", "fields": ["amount"]},
}


@pytest.fixture
def folder(stack: Stack, tmp_path: Path) -> Path:
    """A folder with the documents of the running service."""
    made.documents(stack, tmp_path)
    return tmp_path


def test_the_documents_are_valid_by_the_parsers_of_their_makers(folder: Path) -> None:
    """Beside the validator in tests/ingress/routes/test_documentation.py, which is another one."""
    made.node_project(folder, "validate.mjs")
    said = made.node(folder, "validate.mjs", made.OPENAPI, made.ASYNCAPI)
    assert said.split() == ["OpenAPI", "3.1.0", "AsyncAPI", "3.0.0"]


@pytest.mark.parametrize("document", [made.OPENAPI, made.ASYNCAPI])
def test_a_document_that_is_not_valid_is_refused(folder: Path, document: str) -> None:
    """So the test above can fail."""
    text = (folder / document).read_text()
    (folder / document).write_text(text.replace('"title":"Payments"', '"titel":"Payments"', 1))
    made.node_project(folder, "validate.mjs")
    with pytest.raises(AssertionError, match="title"):
        made.node(folder, "validate.mjs", made.OPENAPI, made.ASYNCAPI)


def test_a_shop_on_the_python_client_works(folder: Path, stack: Stack) -> None:
    """A payment, a declined one, and a problem, each of a type of its own."""
    made.python_client(folder)
    (folder / "shop.py").write_text((made.HERE / "shop.py").read_text())
    printed = made.run([made.PYTHON, "shop.py", stack.url, stack.api_key], folder)
    assert made.results(printed) == EXPECTED


def test_a_shop_on_the_typescript_client_compiles_and_works(folder: Path, stack: Stack) -> None:
    """The same; and the compiler knows every field that it uses."""
    made.node_project(folder, "shop.ts", "tsconfig.json")
    made.typescript_client(folder)
    made.node(folder, made.TSC, "--project", ".")
    printed = made.node(folder, "shop.ts", stack.url, stack.api_key)
    assert made.results(printed) == EXPECTED


def test_the_compiler_refuses_a_field_that_there_is_not(folder: Path) -> None:
    """So a field that is renamed is found when the client is made again."""
    made.node_project(folder, "shop.ts", "tsconfig.json")
    made.typescript_client(folder)
    shop = folder / "shop.ts"
    shop.write_text(shop.read_text().replace("payment_method: paymentMethod", "method: ''"))
    with pytest.raises(AssertionError, match="payment_method"):
        made.node(folder, made.TSC, "--project", ".")
