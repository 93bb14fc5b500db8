"""The house is in order: rooms one can see, folders one can read through, files of one job."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

from tests.support.rooms import ROOMS, ROOT

MODULES_MAX: Final = 15
LINES_MAX: Final = 400
_CONFIGURATION: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())
_PACKAGES: Final = {path.parent.name for path in ROOT.glob("*/__init__.py")}


def _modules() -> list[Path]:
    return [module for package in sorted(_PACKAGES) for module in (ROOT / package).rglob("*.py")]


def test_every_package_stands_on_a_floor() -> None:
    """What no contract names could import anything, and be imported by anything."""
    linter = _CONFIGURATION["tool"]["importlinter"]
    (floors,) = (each for each in linter["contracts"] if each["type"] == "layers")
    named = {name for layer in floors["layers"] for name in layer.replace("|", ":").split(":")}
    assert {name.strip() for name in named} == _PACKAGES - {"migrations"}
    assert set(linter["root_packages"]) == _PACKAGES - {"migrations"}


def test_no_contract_has_exceptions() -> None:
    """An exception is a hole in the wall."""
    for contract in _CONFIGURATION["tool"]["importlinter"]["contracts"]:
        assert not {"ignore_imports", "unmatched_ignore_imports_alerting"} & contract.keys()


def test_the_rooms_are_those_that_are_there() -> None:
    """A scan of the product that misses a room would find nothing in it."""
    beside = {"bench", "migrations", "providers", "sandbox", "tests", "tools"}
    assert set(ROOMS) == _PACKAGES - beside


def test_a_folder_can_be_read_through() -> None:
    """Modules side by side, but for the one that says what the folder is."""
    modules = Counter(module.parent for module in _modules() if module.name != "__init__.py")
    assert {str(f): n for f, n in modules.items() if n > MODULES_MAX} == {}


def test_a_file_has_one_job() -> None:
    """The limit leaves room for it."""
    lines = {module: module.read_text().count("\n") for module in _modules()}
    assert {str(m): n for m, n in lines.items() if n > LINES_MAX} == {}


def test_every_package_says_what_it_is_and_nothing_else() -> None:
    """An ``__init__`` that re-exports hides where things are."""
    for module in _modules():
        if module.name == "__init__.py":
            text = module.read_text()
            assert text.startswith('"""'), module
            assert "import" not in text.partition('"""')[2].partition('"""')[2], module
