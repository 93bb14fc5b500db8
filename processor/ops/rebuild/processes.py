"""Does the shares of a rebuild: one in this process, several in processes of their own.

``python -m processor.ops.rebuild.processes`` does the share that it reads from its standard input.
It ends when that is closed, so it does not outlive the process that started it.
"""

import asyncio
import os
import pickle
import sys
from collections.abc import Sequence
from typing import Any, Final

from ports.errors import ShareFailedError
from processor.ops.rebuild.job import Job, Step
from runtime import logs

_COMMAND: Final = (sys.executable, "-m", "processor.ops.rebuild.processes")
#: Exit code: it has written the error to its standard output.
_FAILED: Final = 3


async def do_all(job: Job, step: Step, shares: int) -> None:
    """Does all shares of a step. Raises what a share raises, and then ends the others.

    Raises ShareFailedError where a process ended without saying why.
    """
    if shares == 1:
        await job.do(step, 0, 1)
        return
    try:
        async with asyncio.TaskGroup() as group:
            for share in range(shares):
                group.create_task(_in_process((job, step, share, shares)))
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from several


async def _in_process(what: Sequence[Any]) -> None:
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdin is not None  # noqa: S101  # it is a pipe
    assert process.stdout is not None  # noqa: S101  # it is a pipe
    try:
        pickle_ = pickle.dumps(what)
        process.stdin.write(len(pickle_).to_bytes(8, "big") + pickle_)
        await process.stdin.drain()
        said = await process.stdout.read()
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code == _FAILED:
        raise pickle.loads(said)  # noqa: S301  # from our own process
    if code:
        raise ShareFailedError(f"a process of the rebuild ended with {code}")


async def _main() -> int:
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin
    )
    length = int.from_bytes(await stdin.readexactly(8), "big")
    job, step, share, shares = pickle.loads(await stdin.readexactly(length))  # noqa: S301  # as above
    doing = asyncio.create_task(job.do(step, share, shares), name="rebuild-share")
    orphaned = asyncio.create_task(stdin.read(), name="rebuild-parent")
    await asyncio.wait({doing, orphaned}, return_when=asyncio.FIRST_COMPLETED)
    if not doing.done():
        doing.cancel()
        await asyncio.wait({doing})
        return 1
    orphaned.cancel()
    if error := doing.exception():
        sys.stdout.buffer.write(pickle.dumps(error))
        return _FAILED
    return 0


if __name__ == "__main__":
    logs.configure()
    sys.exit(asyncio.run(_main()))
