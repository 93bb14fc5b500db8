"""``dead-letters``: what lies on the topic, and sending it to where it came from again."""

import asyncio
from typing import Annotated

import typer

from cli.terminal import PUBLISH_DEADLINE_S, bootstrap, database_url, say
from messaging.sender import Sender
from postgres.operator import Place
from processor.ops import dead_letters as ops
from runtime.clock import utc_now


def dead_letters(
    show: Annotated[
        str | None, typer.Option(metavar="POSITION", help="All that is in one of them.")
    ] = None,
    position: Annotated[
        list[str] | None,
        typer.Option(metavar="POSITION", help="With --replay: this one; repeatable."),
    ] = None,
    *,
    replay: Annotated[bool, typer.Option("--replay", help="Send to their topics again.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="With --replay: all not sent before.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="With --replay: also what was sent before.")
    ] = False,
) -> int:
    """Lists records nobody could decode, shows one, or sends some to their topics again.

    Each is named as PARTITION:OFFSET of the topic dead-letters. They are listed without what is in
    them.
    """
    if replay != (bool(position) or everything) or (position and everything):
        raise typer.BadParameter("--replay goes with either --position or --all")
    if replay and show is not None:
        raise typer.BadParameter("--show and --replay do not go together")
    if replay:
        wanted = frozenset(_place(each) for each in position) if position else None
        return asyncio.run(_send_again(wanted, again=again))
    return asyncio.run(_show(None if show is None else _place(show)))


def _place(text: str) -> Place:
    try:
        return ops.place(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not PARTITION:OFFSET") from error


async def _send_again(wanted: frozenset[Place] | None, *, again: bool) -> int:
    sender = Sender(bootstrap(), "payments-dead-letters", PUBLISH_DEADLINE_S)
    try:
        result = await ops.replay(bootstrap(), database_url(), sender, wanted, utc_now, again=again)
    finally:
        await sender.close()
    for text in ops.summary(result):
        say(text)
    return 0 if result.is_done else 1


async def _show(wanted: Place | None) -> int:
    sent = await ops.replayed(database_url())
    count = 0
    async for letter in ops.letters(bootstrap()):
        if wanted is None:
            say(ops.line(letter, sent.get(letter.place)))
            count += 1
        elif letter.place == wanted:
            say("\n".join(ops.shown(letter)))
            return 0
    if wanted is None:
        say(f"{count} dead letters")
        return 0
    say(f"{wanted[0]}:{wanted[1]} is not on the topic")
    return 1
