"""Runs the operator's commands, each in its own process."""

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
class Completed:
    """A finished command: exit code and output."""

    code: int
    stdout: str
    stderr: str


async def run(stack: Stack, *arguments: str) -> Completed:
    """Runs ``payments`` with these arguments."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", *arguments,
        env={**os.environ, **stack.environment}, cwd=PROJECT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(ENDS_WITHIN_S):
        stdout, stderr = await process.communicate()
    return Completed(process.returncode or 0, stdout.decode(), stderr.decode())


async def until_printed(stack: Stack, words: str, *arguments: str) -> Completed:
    """Repeats a command until its output contains this text."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        completed = await run(stack, *arguments)
        if words in completed.stdout:
            return completed
        assert time.monotonic() < deadline, f"never printed {words!r}: {completed}"
