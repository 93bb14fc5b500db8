"""What the pages for developers show is what happens."""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from sandbox.topology import PROJECT
from tests.service.examples.consumers import NEEDS_PYTHON, PYTHON
from tests.service.stack import Stack

_BLOCK: Final = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
ENDS_WITHIN_S: Final = 120.0


def _blocks(page: str) -> list[tuple[str, str]]:
    """The language and the text of each block of code."""
    return _BLOCK.findall((PROJECT / "docs" / page).read_text())


@NEEDS_PYTHON
def test_the_consumer_in_ten_lines_reads_every_payment(stack: Stack, tmp_path: Path) -> None:
    """It ends by itself once nothing comes any more."""
    (program,) = (text for language, text in _blocks("consume.md") if language == "python")
    assert program.count("\n") <= 12
    (tmp_path / "consumer.py").write_text(program)
    done = subprocess.run(  # noqa: S603 -- the page's own program
        [str(PYTHON), "consumer.py"],
        cwd=tmp_path, env={**os.environ, **stack.environment}, check=False,
        capture_output=True, text=True, timeout=ENDS_WITHIN_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"^pay_\w+ \d+ SUCCEEDED$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("page", ["consume.md"])
def test_a_page_links_what_exists(page: str) -> None:
    """Files of the project, from where the page is."""
    text = (PROJECT / "docs" / page).read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert links
    assert [link for link in links if not (PROJECT / "docs" / link).exists()] == []
