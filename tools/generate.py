"""``python -m tools.generate`` writes the JSON Schema files and the state machine's page."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from ingress.documents import published
from schemas.commands import VALUE
from schemas.results import ProviderResult
from tools.state_machine_page import PAGE, page

DIRECTORY: Final = Path(__file__).parents[1] / "schemas" / "json"

#: The dialect of the files.
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
#: One more for a form that consumers of the one before can't read; it gets a topic of its own.
VERSION: Final = 1

#: The topics that only our own programs read. They refuse what they do not know.
_OURS: Final[dict[str, TypeAdapter[Any]]] = {
    "payment-commands": VALUE,
    "provider-results": TypeAdapter(ProviderResult),
}
NAMES: Final = (*_OURS, *published.PUBLISHED)


def document_of(name: str) -> dict[str, Any]:
    """Returns the JSON Schema of a topic's values."""
    schema = _OURS[name].json_schema() if name in _OURS else published.schema_of(name)
    named = {"$schema": DIALECT, "$id": f"urn:payments:{name}:v{VERSION}", "title": name}
    return {**schema, **named}


def schema_of(name: str) -> str:
    """Returns the same as the text of its file."""
    return json.dumps(document_of(name), indent=2, sort_keys=True) + "\n"


def write_all() -> list[Path]:
    """Writes every file and returns their paths."""
    DIRECTORY.mkdir(exist_ok=True)
    paths = []
    for name in NAMES:
        path = DIRECTORY / f"{name}.schema.json"
        path.write_text(schema_of(name))
        paths.append(path)
    PAGE.write_text(page())
    return [*paths, PAGE]


if __name__ == "__main__":
    for written in write_all():
        sys.stdout.write(f"{written}\n")
