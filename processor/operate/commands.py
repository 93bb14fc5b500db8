"""The operator's commands: their arguments, and what they print. Each answers its exit code."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from processor.operate import letters
from processor.operate.checking import run_audit, run_rebuild
from processor.operate.letters import place
from processor.operate.replay import Replayed, listed, replay, told
from processor.operate.terminal import bootstrap, command_parser, database_url, say, utc_now
from processor.sender import Sender
from processor.store import operate as store
from processor.store.batch import Decode
from processor.store.operate import Place
from processor.store.patience import OperatingConnection

Decoder = Callable[[], Decode]

#: How long the brokers may take to take what is published.
PUBLISH_DEADLINE_S: Final = 9.0


def run_replay(arguments: Sequence[str], _decoder: Decoder) -> int:
    """Lists holds, or releases them."""
    parser = command_parser(
        "replay",
        "Payments our own code failed on are held; after the fix, replay takes the holds away and\n"
        "what waited is processed. 1 when something is held still.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--list", action="store_true", help="what is held, since when, and why")
    which.add_argument("--payment", action="append", metavar="ID", help="this one; repeatable")
    which.add_argument("--all", action="store_true", help="everything that is held")
    parser.add_argument(
        "--wait", type=float, default=30.0, metavar="S", help="for the stream, in seconds (30)"
    )
    options = parser.parse_args(arguments)
    if options.list:
        for text in listed(asyncio.run(_holds())):
            say(text)
        return 0
    done = asyncio.run(_replay(options.payment, options.wait))
    for text in told(done):
        say(text)
    return 0 if done.is_done else 1


async def _holds() -> list[store.Hold]:
    async with await OperatingConnection.connect(database_url()) as connection:
        return await store.holds(connection)


async def _replay(payment_ids: Sequence[str] | None, wait_s: float) -> Replayed:
    sender = Sender(bootstrap(), "payments-replay", PUBLISH_DEADLINE_S)
    try:
        return await replay(database_url(), sender, payment_ids, utc_now, wait_s)
    finally:
        await sender.close()


def run_dead_letters(arguments: Sequence[str], _decoder: Decoder) -> int:
    """Lists dead letters, shows one, or sends some again."""
    parser = command_parser(
        "dead-letters",
        "Records nobody could decode, as PARTITION:OFFSET of the topic dead-letters. Without an\n"
        "option they are listed, without what is in them.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--show", type=place, metavar="POSITION", help="all that is in one of them")
    what.add_argument("--replay", action="store_true", help="send to their topics again")
    parser.add_argument(
        "--position", type=place, action="append", metavar="POSITION",
        help="with --replay: this one; repeatable",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="with --replay: all not sent before")
    parser.add_argument(
        "--again", action="store_true", help="with --replay: also what was sent before"
    )
    options = parser.parse_args(arguments)
    if options.replay != bool(options.position or options.all) or (
        options.position and options.all
    ):
        parser.error("--replay goes with either --position or --all")
    if options.replay:
        wanted = frozenset(options.position) if options.position else None
        return asyncio.run(_send_again(wanted, again=options.again))
    return asyncio.run(_show(options.show))


async def _send_again(wanted: frozenset[Place] | None, *, again: bool) -> int:
    sender = Sender(bootstrap(), "payments-dead-letters", PUBLISH_DEADLINE_S)
    try:
        result = await letters.replay(
            bootstrap(), database_url(), sender, wanted, utc_now, again=again
        )
    finally:
        await sender.close()
    for text in letters.told(result):
        say(text)
    return 0 if result.is_done else 1


async def _show(wanted: Place | None) -> int:
    sent = await letters.replayed(database_url())
    count = 0
    async for letter in letters.letters(bootstrap()):
        if wanted is None:
            say(letters.line(letter, sent.get(letter.place)))
            count += 1
        elif letter.place == wanted:
            say("\n".join(letters.shown(letter)))
            return 0
    if wanted is None:
        say(f"{count} dead letters")
        return 0
    say(f"{wanted[0]}:{wanted[1]} is not on the topic")
    return 1


#: Each is given its arguments, and what makes what turns the log's records into inputs.
Command = Callable[[Sequence[str], Decoder], int]
COMMANDS: Final[Mapping[str, Command]] = {
    "replay": run_replay,
    "dead-letters": run_dead_letters,
    "rebuild": run_rebuild,
    "audit": run_audit,
}
