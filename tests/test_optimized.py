"""Texts for readers do not depend on docstrings, which ``python -OO`` drops."""

import subprocess
import sys
from typing import Final

import pytest

_PROBLEMS: Final = """
from ingress.errors import PROBLEMS
from ingress.routes.openapi import problems
for kind in PROBLEMS:
    example = problems(kind)[kind.status]["content"]["application/problem+json"]["examples"]
    print(kind.slug, "|", example[kind.slug]["value"]["detail"])
"""
_INVARIANTS: Final = """
from processor.ops.invariants import INVARIANTS
for code, invariant in INVARIANTS.items():
    print(code, "|", invariant.meaning)
"""


@pytest.mark.parametrize("program", [_PROBLEMS, _INVARIANTS], ids=["problems", "invariants"])
def test_texts_for_readers_exist_without_docstrings(program: str) -> None:
    """Every problem type and every invariant has a meaning, which is a sentence."""
    run = subprocess.run(  # noqa: S603  # this interpreter, and programs from above
        [sys.executable, "-OO", "-c", program], capture_output=True, text=True, check=True
    )
    lines = run.stdout.splitlines()
    assert lines
    for line in lines:
        name, meaning = line.split(" | ")
        assert meaning.endswith("."), name
