"""Every edit of the source applies, and its tests exist."""

import ast
from collections import Counter

import pytest

from tests.mutants.catalogue import BUGS
from tests.mutants.planted import AREAS, ROOT, Bug, MisplacedError


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_can_be_planted(bug: Bug) -> None:
    """Its expression matches once, its replacement is a different program, and its tests exist."""
    assert bug.area in AREAS
    source = (ROOT / bug.path).read_text()
    planted = bug.planted(source)
    assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(source))
    compile(planted, str(bug.path), "exec")
    assert len(bug.consequence.split()) > 3, "say what goes wrong"
    assert bug.tests
    for test in bug.tests:
        path, *names = test.split("::")
        text = (ROOT / path).read_text()
        assert all(f"def {name.partition('[')[0]}(" in text for name in names), test


def test_no_bug_is_planted_twice() -> None:
    """All edits are different."""
    counted = Counter((bug.symbol, bug.expression, bug.replacement) for bug in BUGS)
    assert max(counted.values()) == 1


def _bug(symbol: str, expression: str) -> Bug:
    return Bug("sql", symbol, expression, "x", "it is only an example", ())


SOURCE = '''
LIMIT = 1
STATEMENT: str = """
    select a
    from b where a"""


class Door:
    """A door."""

    async def open(self) -> None:
        """Open."""
        self.lock(LIMIT,
                  2)

    def lock(self, *limits: int) -> None:
        """Lock."""
'''


def test_an_expression_is_found_in_its_symbol_whatever_its_white_space() -> None:
    """In a statement of several lines, a method and a constant, only the expression is replaced."""
    assert "select x" in _bug("m:STATEMENT", "a from b where a").planted(SOURCE)
    assert "self.x" in _bug("m:Door.open", "lock(LIMIT, 2)").planted(SOURCE)
    planted = _bug("m:LIMIT", "1").planted(SOURCE)
    assert planted == SOURCE.replace("LIMIT = 1", "LIMIT = x")


@pytest.mark.parametrize(
    ("symbol", "expression"),
    [
        ("m:Door.open", "2, 3"),  # not there
        ("m:STATEMENT", "a"),  # there more than once
        ("m:Door.close", "lock"),  # no such symbol
        ("m:open", "lock"),  # not by this name
    ],
)
def test_a_bug_whose_text_is_not_found_once_is_an_error(symbol: str, expression: str) -> None:
    """A bug that no longer applies raises MisplacedError."""
    with pytest.raises(MisplacedError):
        _bug(symbol, expression).planted(SOURCE)
