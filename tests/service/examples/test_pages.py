"""What the pages for developers show is what happens."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from domain.status import RejectionCode
from sandbox.client import PaymentsClient
from sandbox.environment import write_environment
from sandbox.stories import STORIES
from sandbox.topology import PROJECT
from tests.service.examples.consumers import NEEDS_PYTHON, PYTHON
from tests.service.stack import Stack

_BLOCK: Final = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
ENDS_WITHIN_S: Final = 120.0


def _blocks(page: str) -> list[tuple[str, str]]:
    """The language and the text of each block of code."""
    return _BLOCK.findall((PROJECT / "docs" / page).read_text())


def _values(text: str) -> Iterator[Any]:
    """The JSON values that were printed one after the other."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        yield value
        text = text[end:]


def _missing(shown: Any, given: Any, at: str = "") -> list[str]:
    """What is shown, but not given. More may be given than is shown."""
    if isinstance(shown, Mapping) and isinstance(given, Mapping):
        found = [_missing(value, given.get(name), f"{at}.{name}") for name, value in shown.items()]
        return [line for lines in found for line in lines]
    return [] if shown == given else [f"{at} is {given!r}, not {shown!r}"]


def test_every_command_of_the_page_for_apps_is_answered_as_it_shows(
    stack: Stack, tmp_path: Path
) -> None:
    """All commands in one shell, as a reader pastes them."""
    write_environment(tmp_path / ".sandbox" / "env", stack.environment)
    blocks = _blocks("integrate.md")
    commands = [text for language, text in blocks if language == "sh"]
    script = "\n".join(f"{{\n{text}}} >answer-{n}" for n, text in enumerate(commands))
    done = subprocess.run(  # noqa: S603 -- the page's own commands
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607 -- wherever it is
        cwd=tmp_path, check=False, capture_output=True, text=True, timeout=ENDS_WITHIN_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    number, found = -1, {}
    for language, text in blocks:
        if language == "sh":
            number += 1
        elif language == "json":
            *_, given = _values((tmp_path / f"answer-{number}").read_text())
            found[commands[number]] = _missing(json.loads(text), given)
    assert {command: lines for command, lines in found.items() if lines} == {}
    assert len(found) >= 9


async def _paid(stack: Stack) -> None:
    """Makes a payment, to its end."""
    async with PaymentsClient(stack.url, stack.api_key) as client:
        payment_id = await client.create(STORIES["success"].body)
        await client.wait_for(payment_id, STORIES["success"].ends)


@NEEDS_PYTHON
def test_the_small_consumer_reads_every_payment(stack: Stack, tmp_path: Path) -> None:
    """It ends by itself once nothing comes any more."""
    (program,) = (text for language, text in _blocks("consume.md") if language == "python")
    assert program.count("\n") <= 20
    (tmp_path / "consumer.py").write_text(program)
    asyncio.run(_paid(stack))
    done = subprocess.run(  # noqa: S603 -- the page's own program
        [str(PYTHON), "consumer.py"],
        cwd=tmp_path, env={**os.environ, **stack.environment}, check=False,
        capture_output=True, text=True, timeout=ENDS_WITHIN_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"^pay_\w+ \d+ SUCCEEDED$", done.stdout, re.MULTILINE)


def test_the_page_for_apps_has_every_code_that_a_client_can_get() -> None:
    """Of a rejected operation."""
    page = (PROJECT / "docs" / "integrate.md").read_text()
    ours = RejectionCode.NOT_EXPIRED  # an expiry of the service's own
    assert [code for code in RejectionCode if code != ours and f"`{code}`" not in page] == []


@pytest.mark.parametrize("page", ["integrate.md", "consume.md"])
def test_a_page_links_what_exists(page: str) -> None:
    """Files of the project, from where the page is."""
    text = (PROJECT / "docs" / page).read_text()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert links
    assert [link for link in links if not (PROJECT / "docs" / link).exists()] == []
