"""Plain words: the field's terms, and no private dialect."""

import re
import subprocess
from typing import Final

from tests.support.rooms import ROOT

#: Words that no engineer searches for, and what stands in their place (docs/glossary.md).
DIALECT: Final = (
    "told", "tells", "anew", "letters", "homeless", "crowd", "manieth", "whoever", "nobody's",
    "heard",
)  # fmt: skip
_FOUND: Final = re.compile(
    rf"(?<!dead )(?<!dead-)(?<!dead_)\b({'|'.join(DIALECT)})\b", re.IGNORECASE
)
#: These name the words themselves.
_ABOUT_WORDS: Final = {"docs/glossary.md", "tests/test_words.py"}
_READ: Final = (".py", ".md", ".sql", ".yml", ".yaml", ".toml", "Makefile", "Dockerfile", "run")


def test_code_and_pages_are_written_in_plain_words() -> None:
    """Names, comments, docstrings, log events, pages."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607  # wherever it is
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    found = [
        f"{name}:{number}: {line.strip()}"
        for name in listed
        if name.endswith(_READ) and name not in _ABOUT_WORDS and (ROOT / name).is_file()
        for number, line in enumerate((ROOT / name).read_text().splitlines(), 1)
        if _FOUND.search(line)
    ]
    assert found == []
