"""The sandbox's command line: ``python -m sandbox run|demo|up|env|reset|doctor``."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rich.console import Console

from sandbox import containers, doctor, settings
from sandbox.errors import SandboxError
from sandbox.session import EVERYTHING, INFRASTRUCTURE, Session
from sandbox.settings import SandboxSettings
from sandbox.state import StateFolder

COMMANDS: Final = {
    "run": "start everything, run the sample payments, serve until Ctrl-C",
    "demo": "start everything, run the sample payments, stop; fails unless each ended as expected",
    "up": "start Kafka, PostgreSQL and the Stripe simulator, serve until Ctrl-C",
    "env": "write .env for docker compose, with new secrets; an existing file is kept",
    "reset": "remove the sandbox's data, logs and secrets",
    "doctor": "check that this machine has what the sandbox needs",
}
LOG_WIDTH: Final = 132
INTERRUPTED: Final = 128
"""Exit code of a program that a signal ended: this plus the signal's number, as in shells."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The sandbox.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, meaning in COMMANDS.items():
        commands.add_parser(name, help=meaning, description=meaning)
    command = parser.parse_args(arguments).command
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH  # a file or a pipe has no width
    try:
        return ACTIONS[command](settings.load(), console)
    except SandboxError as error:
        Console(stderr=True).print(str(error), style="red", markup=False, soft_wrap=True)
        return 1


def _run(chosen: SandboxSettings, console: Console) -> int:
    return _live(Session(chosen, console, EVERYTHING, _play, serve=True))


def _demo(chosen: SandboxSettings, console: Console) -> int:
    return _live(Session(chosen, console, EVERYTHING, _play, serve=False))


def _up(chosen: SandboxSettings, console: Console) -> int:
    return _live(Session(chosen, console, INFRASTRUCTURE, None, serve=True))


def _env(chosen: SandboxSettings, console: Console) -> int:
    written = containers.keep(containers.FILE, chosen, os.environ)
    console.print(f"{containers.FILE} {'written' if written else 'exists already, and was kept'}")
    return 0


def _reset(chosen: SandboxSettings, console: Console) -> int:
    removed = StateFolder(chosen.directory.resolve()).remove()
    console.print(f"{'removed' if removed else 'there is no'} {chosen.directory}", markup=False)
    return 0


def _doctor(chosen: SandboxSettings, console: Console) -> int:
    return 0 if doctor.examine(chosen, console) else 1


ACTIONS: Final[dict[str, Callable[[SandboxSettings, Console], int]]] = {
    "run": _run,
    "demo": _demo,
    "up": _up,
    "env": _env,
    "reset": _reset,
    "doctor": _doctor,
}


def _live(session: Session) -> int:
    """Run a session until it ends or a signal arrives."""
    received: list[int] = []

    async def until_signalled() -> bool:
        task = asyncio.ensure_future(session.run())
        loop = asyncio.get_running_loop()

        def end(number: int) -> None:
            received.append(number)
            task.cancel()  # a second signal cuts the shutdown short

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end, number)
        return await task

    try:
        return 0 if asyncio.run(until_signalled()) else 1
    except asyncio.CancelledError:
        # Ctrl-C is the normal end of ``run``.
        serving = session.serve and received[0] == signal.SIGINT
        return 0 if serving else INTERRUPTED + received[0]


async def _play(environment: Mapping[str, str], console: Console) -> bool:
    """Run the scenario. It is imported late: ``up`` does not need it."""
    from sandbox.scenario import play  # noqa: PLC0415 -- see the docstring

    return await play(environment, console)


if __name__ == "__main__":
    sys.exit(main())
