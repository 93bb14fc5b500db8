"""``dead-letters``: lists dead letters, shows one, or sends some to their topics again."""

import asyncio
from typing import Annotated

import typer

from cli.terminal import PUBLISH_DEADLINE_S, bootstrap, database_url, say
from messaging.sender import Sender
from postgres.ops.operator import DeadLetterPosition
from processor.ops import dead_letters as ops
from runtime.clock import utc_now


def _position(text: str) -> str:
    """Returns the value of an option, or raises the error of a wrong command line."""
    try:
        ops.parse_position(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not PARTITION:OFFSET, two numbers") from error
    return text


def dead_letters(
    show: Annotated[
        str | None,
        typer.Option(metavar="POSITION", parser=_position, help="Show this one with its content."),
    ] = None,
    position: Annotated[
        list[str] | None,
        typer.Option(
            metavar="POSITION",
            parser=_position,
            help="With --replay: send this one. Repeatable.",
        ),
    ] = None,
    *,
    replay: Annotated[
        bool, typer.Option("--replay", help="Send to the original topics again.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="With --replay: send all not sent before.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="With --replay: also send those sent before.")
    ] = False,
) -> int:
    """Lists undecodable records, shows one, or sends some to their topics again.

    A POSITION is PARTITION:OFFSET on the topic dead-letters. The list has origin, size and error
    of each record, without its content. Exit code 1: not every requested record was sent or found.
    """
    if replay != (bool(position) or everything) or (position and everything):
        raise typer.BadParameter("--replay goes with either --position or --all")
    if again and not replay:
        raise typer.BadParameter("--again goes with --replay")
    if replay and show is not None:
        raise typer.BadParameter("--show and --replay do not go together")
    if replay:
        wanted = frozenset(map(ops.parse_position, position)) if position else None
        return asyncio.run(_send_again(wanted, again=again))
    return asyncio.run(_show(None if show is None else ops.parse_position(show)))


async def _send_again(wanted: frozenset[DeadLetterPosition] | None, *, again: bool) -> int:
    sender = Sender(bootstrap(), "payments-dead-letters", PUBLISH_DEADLINE_S)
    try:
        result = await ops.replay(bootstrap(), database_url(), sender, wanted, utc_now, again=again)
    finally:
        await sender.close()
    for text in ops.describe_replay(result):
        say(text)
    return 0 if result.is_done else 1


async def _show(wanted: DeadLetterPosition | None) -> int:
    sent = await ops.replayed(database_url())
    count = 0
    async for dead_letter in ops.read_dead_letters(bootstrap()):
        if wanted is None:
            say(ops.describe(dead_letter, sent.get(dead_letter.position)))
            count += 1
        elif dead_letter.position == wanted:
            say("\n".join(ops.describe_in_full(dead_letter)))
            return 0
    if wanted is None:
        say(f"{count} dead letters")
        return 0
    say(f"{wanted[0]}:{wanted[1]} is not on the topic")
    return 1
