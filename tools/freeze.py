"""``python -m tools.freeze`` freezes the formats as they are now: only additions are taken.

A change that breaks those who have the frozen form is refused, and nothing is written.
"""

import sys
from pathlib import Path

from tools.formats import FROZEN, current, frozen, incompatible, text_of


def freeze(directory: Path = FROZEN) -> list[str]:
    """Writes every format that has changed. Returns why not, and writes nothing, if one breaks."""
    now = current()
    refused = incompatible(frozen(directory), now)
    if not refused:
        directory.mkdir(parents=True, exist_ok=True)
        for name, found in now.items():
            (directory / name).write_text(text_of(found))
    return refused


if __name__ == "__main__":
    found = freeze()
    for line in found:
        sys.stderr.write(f"{line}\n")
    if found:
        sys.exit("These changes break those who have the frozen formats (docs/compatibility.md).")
    sys.stdout.write(f"{FROZEN}\n")
