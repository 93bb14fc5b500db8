"""A planted bug as an edit of the source: an expression in one symbol, and its replacement.

The expression's text must match exactly once within the symbol; white space does not matter. So a
symbol may move within its module, and any other change is an error.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
AREAS: Final = (
    "cli", "domain", "examples", "ingress", "messaging", "ops", "providers", "runtime", "sql",
    "stream", "worker",
)  # fmt: skip


class MisplacedError(Exception):
    """A bug's symbol or expression was not found, or found more than once."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One careless edit.

    Args:
        area: the part of the program, one of `AREAS`.
        symbol: `package.module:qualified.name` of a function, a class or a constant.
        expression: the original text.
        replacement: the wrong text.
        consequence: the visible effect of the bug.
        tests: pytest's arguments for the tests that must find it; few, so that they run fast.
        servers: whether these tests need a broker or a database.
    """

    area: str
    symbol: str
    expression: str
    replacement: str
    consequence: str
    tests: tuple[str, ...]
    servers: bool = False

    @property
    def name(self) -> str:
        """Its name in a report."""
        return f"{self.symbol}: {' '.join(self.expression.split())}"

    @property
    def path(self) -> Path:
        """Its file, relative to the project's root."""
        module = Path(*self.symbol.partition(":")[0].split("."))
        package = module / "__init__.py"
        return package if (ROOT / package).exists() else module.with_suffix(".py")

    def planted(self, source: str) -> str:
        """The module's source with the bug. Raises MisplacedError."""
        start, end = _segment(source, self.symbol.partition(":")[2])
        pattern = r"\s+".join(re.escape(word) for word in self.expression.split())
        found = list(re.finditer(pattern, source[start:end]))
        if len(found) != 1:
            raise MisplacedError(f"{self.name} was found {len(found)} times")
        at, to = found[0].span()
        return source[: start + at] + self.replacement + source[start + to :]


def _segment(source: str, name: str) -> tuple[int, int]:
    """A symbol's beginning and end in a source. Raises MisplacedError."""
    spans = [(node.lineno, node.end_lineno) for found, node in _symbols(source) if found == name]
    if len(spans) != 1:
        raise MisplacedError(f"{name} was found {len(spans)} times")
    (first, last), lines = spans[0], source.splitlines(keepends=True)
    return sum(map(len, lines[: first - 1])), sum(map(len, lines[:last]))


def _symbols(source: str) -> Iterator[tuple[str, ast.stmt]]:
    """Every function, class and constant of a module, by its qualified name."""

    def within(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.stmt]]:
        for node in body:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    yield prefix + name, node
                case ast.ClassDef(name=name, body=inner):
                    yield prefix + name, node
                    yield from within(inner, f"{prefix}{name}.")
                case ast.AnnAssign(target=ast.Name(id=name)):
                    yield prefix + name, node
                case ast.Assign(targets=[ast.Name(id=name)]):
                    yield prefix + name, node
                case _:
                    pass

    return within(ast.parse(source).body, "")
