"""Attributes a sampling profiler's stacks to parts of the program.

A sample belongs to the part of the innermost frame that has one. asyncio is the exception: its work
for a caller belongs to the caller, so its own share is only the loop itself.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

#: The part by the beginning of a frame's file; the longest match decides.
PARTS: Final[Mapping[str, str]] = {
    "faust/": "reading through Faust",
    "mode/": "reading through Faust",
    "aiokafka/consumer/": "reading through Faust",
    "aiokafka/coordinator/": "reading through Faust",
    "processor/stream/faust_internals/": "reading through Faust",
    "processor/stream/app.py": "reading through Faust",
    "decisions/decode.py": "decoding",
    "ports/records.py": "decoding",
    "providers/": "decoding",
    "schemas/": "decoding",
    "processor/stream/dedup_table.py": "dedup table",
    "processor/stream/faust_internals/table.py": "dedup table",
    "faust/stores/": "dedup table",
    "faust/tables/": "dedup table",
    "mode/utils/collections.py": "dedup table",
    "domain/": "domain",
    "decisions/fold.py": "domain",
    "ports/batch.py": "domain",
    "postgres/": "Postgres client",
    "psycopg/": "Postgres client",
    "psycopg_pool/": "Postgres client",
    "messaging/transactional_publisher.py": "publishing",
    "messaging/": "publishing",
    "messaging/batch_send.py": "publishing",
    "aiokafka/producer/": "publishing",
    "faust/transport/producer.py": "publishing",
    "processor/stream/batch.py": "batches and retries",
    "processor/stream/pipeline.py": "batches and retries",
    "tenacity/": "batches and retries",
    "aiokafka/conn.py": "Kafka connections",
    "aiokafka/client.py": "Kafka connections",
}
LOOP: Final = "asyncio"
#: Files of the event loop.
LOOP_FILES: Final = ("asyncio/", "uvloop/", "selectors.py")
#: The loop's frame; frames outside of it only started the program.
TURN: Final = "BaseEventLoop._run_once (asyncio/base_events.py"
OTHER: Final = "other"
#: A thread with one of these innermost frames is waiting, even if the profiler counts it as busy.
WAITING: Final = re.compile(
    r"select \(selectors\.py|(^|\.)(wait|sleep|accept) \((threading|socket)"
)
_FRAME: Final = re.compile(r"^(?P<function>.*) \((?P<file>[^()]*?)(:\d+)?\)$")


def by_part(lines: Iterable[str], parts: Mapping[str, str] = PARTS) -> Counter[str]:
    """Samples by part, of py-spy's raw format: ``frame;frame;frame count``, the innermost last.

    Waiting threads are not counted. Raises ValueError for another format.
    """
    found: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if not WAITING.search(frames[-1]):
            found[part_of(frames, parts)] += int(count)
    return found


def part_of(frames: list[str], parts: Mapping[str, str] = PARTS) -> str:
    """The part that a stack belongs to; its innermost frame is the last."""
    begin = max((n for n, frame in enumerate(frames) if frame.startswith(TURN)), default=0)
    files = [match["file"] for frame in frames[begin:] if (match := _FRAME.match(frame))]
    for file in reversed(files):
        fitting = [prefix for prefix in parts if file.startswith(prefix)]
        if fitting:
            return parts[max(fitting, key=len)]
    return LOOP if any(file.startswith(LOOP_FILES) for file in files) else OTHER
