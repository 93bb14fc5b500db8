"""``python -m tools.generate`` writes the JSON Schema files and the state machine's page."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from schemas.commands import VALUE
from schemas.results import ProviderResult
from schemas.state import PaymentState
from tools.state_machine_page import PAGE, page

DIRECTORY: Final = Path(__file__).parents[1] / "schemas" / "json"

MODELS: Final[dict[str, TypeAdapter[Any]]] = {
    "payment-commands": VALUE,
    "provider-results": TypeAdapter(ProviderResult),
    "payment-state": TypeAdapter(PaymentState),
}


def schema_of(name: str) -> str:
    """Returns the JSON Schema of a topic's values, as text."""
    schema = MODELS[name].json_schema()
    return json.dumps({"title": name, **schema}, indent=2, sort_keys=True) + "\n"


def write_all() -> list[Path]:
    """Writes every file and returns their paths."""
    DIRECTORY.mkdir(exist_ok=True)
    paths = []
    for name in MODELS:
        path = DIRECTORY / f"{name}.schema.json"
        path.write_text(schema_of(name))
        paths.append(path)
    PAGE.write_text(page())
    return [*paths, PAGE]


if __name__ == "__main__":
    for written in write_all():
        sys.stdout.write(f"{written}\n")
