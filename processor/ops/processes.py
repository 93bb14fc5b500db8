"""Shares of a long command in processes of their own, which send back what they find.

``python -m processor.ops.processes`` does the share that it reads from its standard input. It ends
when that is closed, so it does not outlive the process that started it.
"""

import asyncio
import os
import pickle
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Final, Protocol

from ports.errors import ShareFailedError
from runtime import logs

_COMMAND: Final = (sys.executable, "-m", "processor.ops.processes")
#: Exit code: the last that it sent is the error with which it failed.
_FAILED: Final = 3
_LENGTH_BYTES: Final = 8

#: Takes what a share finds; of a share in another process, it must be picklable.
Receive = Callable[[Any], None]


class Share(Protocol):
    """A part of the work; picklable, if it is done in another process."""

    async def do(self, send: Receive) -> None:
        """Does it, and sends what it finds. Raises what ends the whole work."""


async def do_all(shares: Sequence[Share], receive: Receive) -> None:
    """Does one share in this process, or several in processes of their own.

    Raises what a share or ``receive`` raises, and then ends the others. Raises ShareFailedError
    where a process ended without saying why.
    """
    if len(shares) == 1:
        await shares[0].do(receive)
        return
    try:
        async with asyncio.TaskGroup() as group:
            for share in shares:
                group.create_task(_in_process(share, receive))
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from several


async def _in_process(share: Share, receive: Receive) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, stdin=PIPE, stdout=PIPE, env=environment
    )
    assert process.stdin is not None  # noqa: S101  # it is a pipe
    assert process.stdout is not None  # noqa: S101  # it is a pipe
    last = None
    try:
        process.stdin.write(_packed(share))
        await process.stdin.drain()
        while (message := await _read(process.stdout)) is not None:
            last = pickle.loads(message)  # noqa: S301  # from our own process
            if not isinstance(last, BaseException):
                receive(last)
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code == _FAILED and isinstance(last, BaseException):
        raise last
    if code:
        raise ShareFailedError(f"a process with a share of the work ended with {code}")


def _packed(value: object) -> bytes:
    content = pickle.dumps(value)
    return len(content).to_bytes(_LENGTH_BYTES, "big") + content


async def _read(stream: asyncio.StreamReader) -> bytes | None:
    """Returns the next message; None at the end, also where the last is cut off."""
    try:
        length = int.from_bytes(await stream.readexactly(_LENGTH_BYTES), "big")
        return await stream.readexactly(length)
    except asyncio.IncompleteReadError:
        return None


async def _main(output: BinaryIO) -> int:
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin
    )
    message = await _read(stdin)
    if message is None:
        return 1

    def send(found: object) -> None:
        output.write(_packed(found))
        output.flush()

    share: Share = pickle.loads(message)  # noqa: S301  # from the process that started this one
    doing = asyncio.create_task(share.do(send), name="share")
    orphaned = asyncio.create_task(stdin.read(), name="starter")
    await asyncio.wait({doing, orphaned}, return_when=asyncio.FIRST_COMPLETED)
    if not doing.done():
        doing.cancel()
        await asyncio.wait({doing})
        return 1
    orphaned.cancel()
    if error := doing.exception():
        send(error)
        return _FAILED
    return 0


def _own_output() -> BinaryIO:
    """Returns the standard output. Whatever else is printed goes to the standard error."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return output


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    logs.configure()
    with _own_output() as sent:
        sys.exit(asyncio.run(_main(sent)))
