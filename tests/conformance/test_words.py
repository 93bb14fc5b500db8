"""No provider's term appears outside its adapter: no name, no status, no ID prefix."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.kit.rows import ADAPTERS
from tests.conformance.kit.words import PROVIDERS, STATUSES, foreign_words
from tests.support.rooms import ROOT, modules

#: A provider's settings and their types are named after it. One provider is the default.
SETTINGS = {
    ROOT / "schemas" / "settings.py",
    ROOT / "schemas" / "settings_types.py",
    ROOT / "schemas" / "deadlines.py",
    ROOT / "schemas" / "groups" / "rate_settings.py",
}
#: Requests and answers that work as they stand, so they are some provider's.
EXAMPLES = {ROOT / "ingress" / "routes" / "examples.py"}
MODULES = [module for module in modules() if module not in SETTINGS | EXAMPLES]
#: The modules that wire the programs.
WIRING = {
    ROOT / "processor" / "stream" / "bootstrap.py",
    ROOT / "processor" / "worker" / "bootstrap.py",
    ROOT / "ingress" / "bootstrap.py",
    ROOT / "cli" / "rebuild.py",
    ROOT / "cli" / "accounts.py",
    ROOT / "cli" / "account_check.py",
}

every_module = pytest.mark.parametrize(
    "module", MODULES, ids=lambda module: str(module.relative_to(ROOT))
)


def test_every_provider_is_in_the_kit() -> None:
    """Each folder in ``providers`` has a row in the kit."""
    assert set(PROVIDERS) == set(ADAPTERS)
    assert len(PROVIDERS) > 1


@every_module
def test_it_uses_no_providers_terms(module: Path) -> None:
    """Neither code nor comments have one."""
    assert list(foreign_words(module)) == []


@pytest.mark.parametrize(
    "line",
    [
        *(f'name = "{provider}"' for provider in PROVIDERS),
        *(f'status == "{status}"' for status in sorted(STATUSES)),
        *("# as a payment intent's", "payment_intent = 1", "charge: int", "a = 'evt_1'"),
        *('"""A Stripe webhook."""', "if id.startswith('pi_'): ...", "# a chargeback"),
    ],
)
def test_a_providers_term_would_be_found(tmp_path: Path, line: str) -> None:
    """The scan finds each form of such a term."""
    module = tmp_path / "module.py"
    module.write_text(f"{line}\n")
    assert len(list(foreign_words(module))) == 1


@every_module
def test_it_uses_providers_through_the_port_alone(module: Path) -> None:
    """Only the registry imports adapters, and only the wiring imports the registry."""
    allowed = {"ports.provider"} | ({"providers.registry"} if module in WIRING else set())
    imported = {name for name in _imports(module) if name.partition(".")[0] == "providers"}
    assert imported <= allowed


def _imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
