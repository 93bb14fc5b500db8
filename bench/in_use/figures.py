"""``python -m bench.in_use.figures``: everything that is measured of a store as after a year.

Its results are kept in bench/results. It takes 35 minutes, and wants an idle machine and 40 GB.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import mean
from typing import Any, Final, Literal

import msgspec

from bench.errors import BenchError
from bench.figures import machine
from bench.figures.report import RESULTS, table
from bench.in_use import commands, hot, idle, lived, reads, rebuilt, steady, topics
from bench.load.samples import Turn
from bench.load.workload import generate
from bench.measured import processor
from bench.site import Site, opened
from bench.year import database
from bench.year.fill import fill
from bench.year.sizes import as_markdown, per_payment, sizes
from ingress.kafka_target import LINGER_MS
from runtime.logs import configure_structlog
from sandbox.errors import SandboxError

NAME: Final = "year"
UNROUTED: Final = 100_000
BACKOFF: Final = 50_000
#: New payments that old ones are compared with.
NEW: Final = 3_000
KIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure, and what it should at most be. None: it has no limit."""

    name: str
    unit: str
    value: float
    at_most: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether it is within its limit, inclusive."""
        return self.at_most is None or self.value <= self.at_most


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured in a part, further tables, and when and on which machine that was."""

    figures: list[Figure]
    notes: list[str]
    about: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is stored, lives and is refunded."""

    stored: int = 2_000_000
    webhooks: int = 200_000
    lived: int = 100_000
    on_topics: int = 20_000
    refunds: int = 1_400


QUICK: Final = Sizes(stored=20_000, webhooks=1_000, lived=2_000, on_topics=1_000, refunds=300)


#: What a part yields while it is measured: figures, and texts.
Found = Iterator[Figure | str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints the figures, keeps them, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.in_use.figures", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes; no results are kept")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: all")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    configure_structlog()
    # A new broker has no group coordinator at first: aiokafka retries, and its warnings are noise.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    results = {} if options.quick else _kept()
    try:
        for name in options.parts or PARTS:
            results[name] = _measured(PARTS[name](QUICK if options.quick else Sizes()))
            if not options.quick:
                _keep(results)
    except (BenchError, SandboxError) as error:
        print(f"not measured: {error}", file=sys.stderr)
        return 1
    print(f"\n{_as_markdown(results)}")
    return 0


def _measured(part: Found) -> Result:
    found, notes = list[Figure](), list[str]()
    about = {"measured at": datetime.now(UTC).isoformat(timespec="seconds"), **machine.describe()}
    for one in part:
        if isinstance(one, str):
            notes.append(one)
            print(one, flush=True)
        else:
            found.append(one)
            print(f"  {one.name}: {one.value:,.4g} {one.unit}", flush=True)
    return Result(found, notes, about)


def _kept() -> dict[str, Result]:
    """The results of parts that were measured before."""
    path = RESULTS / f"{NAME}.json"
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Result]) if path.exists() else {}


def _keep(results: Mapping[str, Result]) -> None:
    ordered = {name: results[name] for name in PARTS if name in results}
    content = msgspec.json.format(msgspec.json.encode(ordered), indent=2)
    (RESULTS / f"{NAME}.json").write_bytes(content + b"\n")
    (RESULTS / f"{NAME}.md").write_text(_as_markdown(ordered))


def _stored(size: Sizes) -> Found:
    """The figures of a filled store."""
    with opened() as site:
        url = database.create(site.database_url)
        waiting = (min(UNROUTED, size.stored), min(BACKOFF, size.stored))
        filled = fill(url, size.stored, unrouted=waiting[0], backoff=waiting[1])
        yield Figure("filling", "s", sum(filled.seconds.values()))
        found = sizes(url)
        yield as_markdown(found, filled.payments)
        total = per_payment(found, filled.payments)["stored_bytes"]
        yield Figure("Postgres, a payment", "KiB", total / KIB, at_most=5)
        year = site.with_database(database.NAME)
        for times in asyncio.run(reads.measure(year)):
            yield Figure(f"{times.kind}, p50", "ms", times.p50_ms)
            yield Figure(f"{times.kind}, p99", "ms", times.p99_ms, at_most=50)
        share = asyncio.run(idle.measure(year))
        yield Figure("Postgres' CPU for an idle service", "cores", share, at_most=0.02)
        # its payments were never published, so it finds that of each
        yield from _audited("audit of the filled store", year)
        yield from _old_and_new(year, site, size.webhooks)


def _old_and_new(year: Site, empty: Site, webhooks: int) -> Found:
    """One worker's webhooks about old payments, and about new ones in empty tables."""
    parts = asyncio.run(steady.measure(year, webhooks))
    rows = [
        [f"{(number + 1) * steady.AT_ONCE:,}", f"{p.per_second:,.0f}", f"{p.wal_bytes / KIB:,.1f}"]
        for number, p in enumerate(parts)
    ]
    yield table(["webhooks about old payments", "a second", "KiB of WAL each"], rows)
    last = parts[-max(1, len(parts) // 4) :]
    old = mean(p.per_second for p in last)
    yield Figure("webhooks about old payments", "a second", old)
    wal_bytes = mean(p.wal_bytes for p in last)
    yield Figure("WAL of one, in the long run", "KiB", wal_bytes / KIB, at_most=6)
    warm_up, work = generate(1, "new-warm", NEW // 8), generate(1, "new", NEW)
    new = asyncio.run(processor.run(empty, Turn(warm_up, work))).per_second
    yield Figure("webhooks about new payments", "a second", new)
    yield Figure("new / old", "times", new / old, at_most=1.25)


def _lived(size: Sizes) -> Found:
    """The figures of payments whose records are all in the log."""
    with opened() as site:
        yield Figure("living", "s", lived.run(site, size.lived))
        yield from _audited("audit with its log", site)
        done = rebuilt.measure(site, jobs=2)
        minutes = done.seconds / size.lived * 1e6 / 60
        yield Figure("rebuild, a million payments", "min", minutes, at_most=15)
        yield Figure("rebuild, memory", "MiB", done.peak_mib)


def _audited(name: str, site: Site) -> Found:
    done = commands.audit(site)
    ended, million = done.ended, done.payments / 1e6
    yield f"{name}: violations {done.violations or 'none'}"
    yield Figure(f"{name}, a million", "s", ended.seconds / million, at_most=180)
    yield Figure(f"{name}, processor time, a million", "s", ended.cpu_s / million)
    yield Figure(f"{name}, memory", "MiB", ended.peak_mib, at_most=300)


def _hot(size: Sizes) -> Found:
    """The figures of a payment with many refunds."""
    with opened() as site:
        done = asyncio.run(hot.measure(site, size.refunds))
    yield Figure("first webhook of a hot payment", "ms", done.first_ms)
    yield Figure("last webhook / first", "times", done.last_ms / done.first_ms, at_most=1.5)
    yield Figure("worker's memory", "MiB", done.rss_mib, at_most=300)


def _on_topics(size: Sizes) -> Found:
    """The bytes on the topics."""
    with opened() as site:
        found = topics.measure(site, size.on_topics, topics.PER_SECOND, LINGER_MS)
    yield topics.as_markdown(found, size.on_topics)
    total = sum(each.left for each in found) / size.on_topics
    yield Figure("Kafka, a payment, one copy", "KiB", total / KIB, at_most=2)


PARTS: Final = {"stored": _stored, "lived": _lived, "hot": _hot, "topics": _on_topics}


def _as_markdown(results: Mapping[str, Result]) -> str:
    parts = ["# A year in store"]
    for name, result in results.items():
        rows = [
            [each.name, f"**{each.value:,.4g}** {each.unit}", _wanted(each), _verdict(each)]
            for each in result.figures
        ]
        parts += [f"## {name}", table(["figure", "measured", "at most", ""], rows), *result.notes]
        parts.append("\n".join(f"- {key}: {value}" for key, value in result.about.items()))
    return "\n\n".join(parts) + "\n"


def _wanted(figure: Figure) -> str:
    return "" if figure.at_most is None else f"{figure.at_most:g}"


def _verdict(figure: Figure) -> Literal["", "met", "not met"]:
    if figure.at_most is None:
        return ""
    return "met" if figure.is_met else "not met"


if __name__ == "__main__":
    sys.exit(main())
