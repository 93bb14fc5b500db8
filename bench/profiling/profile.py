"""``python -m bench.profiling.profile``: where stream and ingress spend their time.

Each does its benchmark's work again under a profiler that stops it two hundred times a second, so
only the shares of such a turn are recorded.
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
Of the samples ({pyspy.PER_SECOND} a second) in which a thread of the worker was at work, not
waiting. A sample belongs to the part of its innermost frame that has one ([parts.py](../parts.py)),
so what a library does for a part is the part's. The flame graphs are of turns of their own:
[processor](processor.svg), only while a thread holds the interpreter's lock, and
[ingress](ingress.svg). Opened by itself, one can be searched and zoomed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Takes the profiles and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.profiling.profile", description=__doc__)
    parser.add_argument("--into", type=Path, default=RESULTS, help="folder (%(default)s)")
    parser.add_argument("--payments", type=int, default=PAYMENTS, help="work (%(default)s)")
    options = parser.parse_args(arguments)
    # A new broker has no group coordinator at first: aiokafka retries, and its warnings are noise.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    about = _about(options.payments)
    try:
        with opened() as site:
            for path in take(site, options.payments, about, options.into):
                print(f"kept: {path}", flush=True)
    except (BenchError, SandboxError) as error:
        print(f"no profile: {error}", file=sys.stderr)
        return 1
    print(f"\n{(options.into / 'profile.md').read_text(encoding='utf-8')}")
    return 0


def take(site: Site, payments: int, about: Mapping[str, str], folder: Path) -> list[Path]:
    """Takes all of them into the folder. Raises BenchError, SandboxError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, (_, options) in PROFILED.items():
        graph = Recording(site.root / f"{name}.svg", "flamegraph", options)
        text = headed(_turn(site, name, payments, graph), _header(name, about))
        written.append(folder / graph.file.name)
        written[-1].write_text(text, encoding="utf-8")
    stacks = Recording(site.root / "processor.raw", "raw")
    lines = _turn(site, "processor", payments, stacks).splitlines()
    written.append(folder / "profile.md")
    written[-1].write_text(as_markdown(lines, about), encoding="utf-8")
    return written


def headed(graph: str, header: str) -> str:
    """A flame graph with this header, and without comments.

    Raises ProfilerError when it has no place for one.
    """
    text, count = TITLE.subn(lambda found: found[1] + escape(header), COMMENT.sub("", graph))
    if count != 1:
        raise ProfilerError("py-spy's flame graph has no title any more")
    return text


def as_markdown(lines: Sequence[str], about: Mapping[str, str]) -> str:
    """The worker's shares by part, the greatest first. Raises ProfilerError without a sample."""
    found = by_part(lines)
    if not found.total():
        raise ProfilerError("py-spy never saw the worker at work")
    rows = [
        [part, f"{100 * count / found.total():.1f} %", ", ".join(_files(part))]
        for part, count in found.most_common()
    ]
    parts = [
        "# Where the worker's time goes",
        table(["part", "share", "files"], rows),
        NOTES,
        "\n".join(f"- {name}: {value}" for name, value in about.items())
        + f"\n- samples: {found.total()}",
    ]
    return "\n\n".join(parts) + "\n"


def _header(name: str, about: Mapping[str, str]) -> str:
    """As much as there is room for."""
    return f"{name} at commit {about['commit']}, {about['machine']}, python {about['python']}"


def _files(part: str) -> list[str]:
    files = [f"`{prefix}`" for prefix, name in PARTS.items() if name == part]
    return files or ["what none of the others has" if part == OTHER else "the loop itself"]


def _turn(site: Site, name: str, payments: int, recording: Recording) -> str:
    """What the profiler wrote of one turn."""
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
