"""The domain is pure: it has no side effects, and no provider's terms."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import domain
from tests.conformance.kit.words import foreign_words

_MODULES = sorted(Path(str(domain.__file__)).parent.glob("**/*.py"))
_ALLOWED = {
    "bisect", "collections", "collections.abc", "dataclasses", "datetime", "enum", "iso4217",
    "itertools", "msgspec", "msgspec.structs", "typing",
}  # fmt: skip
_CLOCKS = {"now", "utcnow", "today"}

every_module = pytest.mark.parametrize("module", _MODULES, ids=lambda module: module.name)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide a module's package"
            yield str(node.module)


def test_the_domain_has_modules() -> None:
    """The scans below find modules."""
    assert len(_MODULES) > 5


@every_module
def test_it_imports_only_itself_and_plain_data(module: Path) -> None:
    """No Faust, Kafka, database, HTTP, asyncio, clock, random numbers or environment."""
    for name in _imports(ast.parse(module.read_text())):
        own = f"{name}.".startswith("domain.")
        assert own or name in _ALLOWED, f"{module.name} imports {name}"


@every_module
def test_it_reads_no_clock_and_imports_nothing_dynamically(module: Path) -> None:
    """Time comes with the input; ``datetime`` is imported as a type."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Attribute):
            assert node.attr not in _CLOCKS, f"{module.name}:{node.lineno} reads the clock"
        if isinstance(node, ast.Name):
            assert node.id not in {"__import__", "open", "eval", "exec", "input", "print"}


@every_module
def test_it_uses_no_providers_terms(module: Path) -> None:
    """Names, texts and comments use the field's terms."""
    assert list(foreign_words(module)) == []


@every_module
def test_it_keeps_no_state_of_its_own(module: Path) -> None:
    """There is no ``global``: all state is in the payment."""
    for node in ast.walk(ast.parse(module.read_text())):
        assert not isinstance(node, ast.Global | ast.Nonlocal | ast.AsyncFunctionDef | ast.Await)
