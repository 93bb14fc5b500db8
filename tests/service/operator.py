"""An operator at a terminal: the commands as processes of their own."""

import asyncio
import os
import sys
import time
from dataclasses import dataclass

from sandbox.topology import PROJECT
from tests.service.stack import Stack

ENDS_WITHIN_S = 120.0
WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command came to."""

    code: int
    said: str
    complained: str


async def run(stack: Stack, *arguments: str) -> Answer:
    """``payments`` with these arguments."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", *arguments,
        env={**os.environ, **stack.environment}, cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(ENDS_WITHIN_S):
        said, complained = await process.communicate()
    return Answer(process.returncode or 0, said.decode(), complained.decode())


async def until_said(stack: Stack, words: str, *arguments: str) -> Answer:
    """Asks again and again, until the answer has these words in it."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        answer = await run(stack, *arguments)
        if words in answer.said:
            return answer
        assert time.monotonic() < deadline, f"never said {words!r}: {answer}"
