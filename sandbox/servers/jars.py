"""The jars of Apache Kafka, and where they are cached.

``kafka-jars.lock`` lists every jar with its SHA-256, so only known files run.
``sandbox/servers/jar_download.py`` downloads them, and can rewrite the lock.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VERSION: Final = "4.3.1"
LOCK: Final = Path(__file__).with_name("kafka-jars.lock")


@dataclass(frozen=True)
class Jar:
    """One line of the lock: the SHA-256 and size in bytes of ``group:artifact:version``."""

    sha256: str
    size: int
    coordinate: str

    @property
    def filename(self) -> str:
        """The jar's file name."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def read_lock(path: Path = LOCK) -> tuple[Jar, ...]:
    """The jars of the lock, in its order."""
    rows = (line.split() for line in path.read_text().splitlines() if not line.startswith("#"))
    return tuple(Jar(sha256, int(size), coordinate) for sha256, size, coordinate in rows)


def cache_folder() -> Path:
    """The download cache, shared by all of a user's clones of the project."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "payments-sandbox" / f"kafka-{VERSION}"


def missing(folder: Path) -> tuple[Jar, ...]:
    """The jars of the lock that are not in ``folder`` yet."""
    return tuple(
        jar
        for jar in read_lock()
        if not (file := folder / jar.filename).exists() or file.stat().st_size != jar.size
    )


def classpath(folder: Path) -> str:
    """Java's class path, in the lock's order."""
    return os.pathsep.join(str(folder / jar.filename) for jar in read_lock())
