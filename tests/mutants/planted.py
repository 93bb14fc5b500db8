"""A bug planted in the text of the program: an expression in one symbol, and what stands instead.

An expression is found by its text, whatever the white space in it, and exactly once within the
symbol. So a bug survives when its symbol moves within its module, and fails loudly otherwise.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
AREAS: Final = ("domain", "ingress", "messaging", "ops", "providers", "sql", "stream", "worker")


class MisplacedError(Exception):
    """A bug's symbol or expression is not there, or there more than once."""


@dataclass(frozen=True, slots=True)
class Bug:
    """One careless edit.

    Args:
        area: the part of the program it is in, one of `AREAS`.
        symbol: `package.module:qualified.name` of a function, a class or a constant.
        expression: what is there.
        replacement: what a careless hand made of it.
        consequence: what goes wrong then, as somebody outside would see it.
        tests: what has to find it, as pytest takes it; narrow, so that it is quick.
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
        """How it is named in a report."""
        return f"{self.symbol}: {' '.join(self.expression.split())}"

    @property
    def path(self) -> Path:
        """The file it is in, from the root of the project."""
        module = Path(*self.symbol.partition(":")[0].split("."))
        package = module / "__init__.py"
        return package if (ROOT / package).exists() else module.with_suffix(".py")

    def planted(self, source: str) -> str:
        """The module's source with the bug in it. Raises MisplacedError."""
        start, end = _segment(source, self.symbol.partition(":")[2])
        pattern = r"\s+".join(re.escape(word) for word in self.expression.split())
        found = list(re.finditer(pattern, source[start:end]))
        if len(found) != 1:
            raise MisplacedError(f"{self.name} is there {len(found)} times")
        at, to = found[0].span()
        return source[: start + at] + self.replacement + source[start + to :]


def _segment(source: str, name: str) -> tuple[int, int]:
    """Where a symbol begins and ends in a source. Raises MisplacedError."""
    spans = [(node.lineno, node.end_lineno) for found, node in _symbols(source) if found == name]
    if len(spans) != 1:
        raise MisplacedError(f"{name} is there {len(spans)} times")
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
