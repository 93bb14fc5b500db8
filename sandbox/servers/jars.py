"""Which jars Apache Kafka is made of, and where they are kept.

`kafka-jars.lock` holds every jar's SHA-256, so nothing is resolved and nothing unknown is run;
`sandbox/servers/jar_download.py` fetches what it names, and can write it anew.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

VERSION: Final = "4.3.1"
LOCK: Final = Path(__file__).with_name("kafka-jars.lock")


@dataclass(frozen=True)
class Jar:
    """One line of the lock: the SHA-256 and size in bytes of `group:artifact:version`."""

    sha256: str
    size: int
    coordinate: str

    @property
    def filename(self) -> str:
        """The jar's own name."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def read_lock(path: Path = LOCK) -> tuple[Jar, ...]:
    """The jars the lock names, in its order."""
    rows = (line.split() for line in path.read_text().splitlines() if not line.startswith("#"))
    return tuple(Jar(sha256, int(size), coordinate) for sha256, size, coordinate in rows)


def cache_folder() -> Path:
    """Where downloads are kept, shared by every clone of the project of one person."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "payments-sandbox" / f"kafka-{VERSION}"


def missing(folder: Path) -> tuple[Jar, ...]:
    """The jars of the lock that `folder` doesn't hold yet."""
    return tuple(
        jar
        for jar in read_lock()
        if not (file := folder / jar.filename).exists() or file.stat().st_size != jar.size
    )


def classpath(folder: Path) -> str:
    """Java's class path, always in the lock's order."""
    return os.pathsep.join(str(folder / jar.filename) for jar in read_lock())
