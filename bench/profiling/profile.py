"""``python -m bench.profiling.profile``: profiles of stream and ingress.

Each program does its benchmark's work again under a profiler, which stops it two hundred times a
second. So only shares of the time are recorded, no speeds.
"""

import argparse
import asyncio
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Final

from bench.errors import BenchError, ProfilerError
from bench.figures import machine
from bench.figures.report import RESULTS, table
from bench.load.samples import Turn
from bench.load.workload import generate
from bench.measured import ingress, processor
from bench.profiling import pyspy
from bench.profiling.parts import OTHER, PARTS, by_part
from bench.profiling.pyspy import Recording
from bench.site import Site, opened
from sandbox.errors import SandboxError

SEED: Final = 20_260_102
PAYMENTS: Final = 6_000
WARM_UP: Final = 400
#: By program: how a turn of it is run, and py-spy's options for its flame graph. A worker that is
#: paused while its input is written (reading.py) looks busy to py-spy, unless only threads with
#: the GIL are counted.
PROFILED: Final = {"processor": (processor.run, ("--gil",)), "ingress": (ingress.run, ())}
TITLE: Final = re.compile(r'(<text id="title"[^>]*>)[^<]*')
#: A comment with the generator's name and address.
COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
NOTES: Final = f"""\
Shares of the samples ({pyspy.PER_SECOND} per second) in which a thread of the worker was working. A
sample belongs to the part of its innermost frame that has one ([parts.py](../profiling/parts.py)),
so a library's work for a part counts for that part. The flame graphs are from separate turns:
[processor](processor.svg), only samples with the interpreter's lock, and [ingress](ingress.svg).
Open one in a browser to search and zoom."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Takes the profiles and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.profiling.profile", description=__doc__)
    parser.add_argument("--into", type=Path, default=RESULTS, help="output folder (%(default)s)")
    parser.add_argument("--payments", type=int, default=PAYMENTS, help="payments (%(default)s)")
    options = parser.parse_args(arguments)
    # A new broker has no group coordinator at first: aiokafka retries, and its warnings are noise.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    about = _about(options.payments)
    try:
        with opened() as site:
            for path in take(site, options.payments, about, options.into):
                print(f"stored: {path}", flush=True)
    except (BenchError, SandboxError) as error:
        print(f"no profile: {error}", file=sys.stderr)
        return 1
    print(f"\n{(options.into / 'profile.md').read_text(encoding='utf-8')}")
    return 0


def take(site: Site, payments: int, about: Mapping[str, str], folder: Path) -> list[Path]:
    """Takes all profiles and writes them to the folder. Raises BenchError, SandboxError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, (_, options) in PROFILED.items():
        graph = Recording(site.root / f"{name}.svg", "flamegraph", options)
        text = with_header(_turn(site, name, payments, graph), _header(name, about))
        written.append(folder / graph.file.name)
        written[-1].write_text(text, encoding="utf-8")
    stacks = Recording(site.root / "processor.raw", "raw")
    lines = _turn(site, "processor", payments, stacks).splitlines()
    written.append(folder / "profile.md")
    written[-1].write_text(as_markdown(lines, about), encoding="utf-8")
    return written


def with_header(graph: str, header: str) -> str:
    """A flame graph with this header, and without comments.

    Raises ProfilerError if it has no title.
    """
    text, count = TITLE.subn(lambda found: found[1] + escape(header), COMMENT.sub("", graph))
    if count != 1:
        raise ProfilerError("py-spy's flame graph has no title")
    return text


def as_markdown(lines: Sequence[str], about: Mapping[str, str]) -> str:
    """The worker's shares by part, greatest first. Raises ProfilerError without a sample."""
    found = by_part(lines)
    if not found.total():
        raise ProfilerError("py-spy has no sample of the working worker")
    rows = [
        [part, f"{100 * count / found.total():.1f} %", ", ".join(_files(part))]
        for part, count in found.most_common()
    ]
    parts = [
        "# The worker's time by part",
        table(["part", "share", "files"], rows),
        NOTES,
        "\n".join(f"- {name}: {value}" for name, value in about.items())
        + f"\n- samples: {found.total()}",
    ]
    return "\n\n".join(parts) + "\n"


def _header(name: str, about: Mapping[str, str]) -> str:
    """A flame graph's title."""
    return f"{name} at commit {about['commit']}, {about['machine']}, python {about['python']}"


def _files(part: str) -> list[str]:
    files = [f"`{prefix}`" for prefix, name in PARTS.items() if name == part]
    return files or ["everything else" if part == OTHER else "the loop itself"]


def _turn(site: Site, name: str, payments: int, recording: Recording) -> str:
    """Runs one turn. Returns the profiler's file."""
    own = f"{name}-{recording.kind}"
    turn = Turn(
        warm_up=generate(SEED - 1, f"{own}-warm", WARM_UP),
        work=generate(SEED, own, payments),
        watch=lambda running: pyspy.recorded(running.child.process.pid, recording),
    )
    run, _ = PROFILED[name]
    asyncio.run(run(site, turn))
    return recording.file.read_text(encoding="utf-8")


def _about(payments: int) -> dict[str, str]:
    found: dict[str, Any] = machine.describe()
    return {
        "measured at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": found["commit"],
        "machine": f"{found['cpus']} x {found['cpu']}",
        "python": found["versions"]["python"],
        "payments": f"{payments:,}",
    }


if __name__ == "__main__":
    sys.exit(main())
