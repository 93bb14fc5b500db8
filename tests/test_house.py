"""The structure of the code: layers without exceptions, small folders, short files."""

import ast
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

from tests.support.rooms import ROOMS, ROOT

MODULES_MAX: Final = 15
LINES_MAX: Final = 400
FUNCTION_LINES_MAX: Final = 60
_CONFIGURATION: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())
_PACKAGES: Final = {path.parent.name for path in ROOT.glob("*/__init__.py")}


def _modules() -> list[Path]:
    return [module for package in sorted(_PACKAGES) for module in (ROOT / package).rglob("*.py")]


def test_every_package_is_in_a_layer() -> None:
    """A package outside all layers could import, and be imported by, any other."""
    linter = _CONFIGURATION["tool"]["importlinter"]
    (layers,) = (each for each in linter["contracts"] if each["type"] == "layers")
    named = {name for layer in layers["layers"] for name in layer.replace("|", ":").split(":")}
    assert {name.strip() for name in named} == _PACKAGES - {"migrations"}
    assert set(linter["root_packages"]) == _PACKAGES - {"migrations"}


def test_no_contract_has_exceptions() -> None:
    """No contract of import-linter ignores any import."""
    for contract in _CONFIGURATION["tool"]["importlinter"]["contracts"]:
        assert not {"ignore_imports", "unmatched_ignore_imports_alerting"} & contract.keys()


def test_the_list_of_rooms_is_complete() -> None:
    """Tests that scan the product scan every package of it."""
    others = {"bench", "examples", "migrations", "providers", "sandbox", "tests", "tools"}
    assert set(ROOMS) == _PACKAGES - others


def test_no_folder_has_too_many_modules() -> None:
    """``__init__`` does not count."""
    modules = Counter(module.parent for module in _modules() if module.name != "__init__.py")
    assert {str(f): n for f, n in modules.items() if n > MODULES_MAX} == {}


def test_no_module_is_too_long() -> None:
    """Every module has at most ``LINES_MAX`` lines."""
    lines = {module: module.read_text().count("\n") for module in _modules()}
    assert {str(m): n for m, n in lines.items() if n > LINES_MAX} == {}


def test_no_function_is_too_long() -> None:
    """Every function has at most ``FUNCTION_LINES_MAX`` lines, its docstring included."""
    lengths = {
        f"{module.relative_to(ROOT)}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for module in _modules()
        for node in ast.walk(ast.parse(module.read_bytes()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None
    }
    assert {name: n for name, n in lengths.items() if n > FUNCTION_LINES_MAX} == {}


def test_every_package_has_only_a_docstring() -> None:
    """An ``__init__`` that re-exports hides where things are."""
    for module in _modules():
        if module.name == "__init__.py":
            text = module.read_text()
            assert text.startswith('"""'), module
            assert "import" not in text.partition('"""')[2].partition('"""')[2], module


def test_an_environment_is_ignored_be_it_a_folder_or_a_link() -> None:
    """A link to one that is committed replaces the folder in every other clone."""
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    environments = {".venv", ".venv-quix", ".venv-examples", ".venv-clients", "node_modules"}
    assert environments <= set(ignored)
