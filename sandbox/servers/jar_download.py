"""Downloads the jars of Apache Kafka and checks each against ``kafka-jars.lock``.

``python -m sandbox.servers.jar_download`` resolves ``BROKER`` with jgo and rewrites the lock.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import Artifact, MavenContext, PythonResolver
from jgo.parse import Coordinate
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from sandbox.errors import DownloadError
from sandbox.servers.jars import LOCK, VERSION, Jar, missing

BROKER: Final = ("org.apache.kafka", "kafka_2.13", VERSION)
LOGGING: Final = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4")
"""The broker's logging back end. Its version must equal that of the log4j the broker brings."""
DOWNLOADS_AT_ONCE: Final = 4
ATTEMPTS: Final = 3
TIMEOUT_SECONDS: Final = 30

Advance = Callable[[int], None]


def download(folder: Path, advance: Advance) -> None:
    """Download the missing jars into ``folder``; several processes may do so at the same time.

    Args:
        folder: the jars' folder.
        advance: called from several threads with the number of bytes received since its last call.

    Raises:
        DownloadError: a jar could not be fetched, or its checksum is wrong.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as scratch,
        ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool,
    ):
        context = _maven(Path(scratch), advance)
        futures = [pool.submit(_fetch, jar, context, folder) for jar in missing(folder)]
        try:
            for future in futures:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch(jar: Jar, context: MavenContext, folder: Path) -> None:
    group, artifact, version = jar.coordinate.split(":")
    source = context.project(group, artifact).at_version(version).artifact()
    retrying = Retrying(
        retry=retry_if_exception_type((requests.RequestException, _AlteredError)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.5, max=5),
        reraise=True,
    )
    try:
        for attempt in retrying:
            with attempt:
                # jgo leaves an incomplete file and would accept it the next time.
                if source.cached_path is not None:
                    source.cached_path.unlink(missing_ok=True)
                file = source.resolve()
                if hashlib.sha256(file.read_bytes()).hexdigest() != jar.sha256:
                    raise _AlteredError("its SHA-256 is not the one in kafka-jars.lock")
    except (requests.RequestException, RuntimeError, OSError) as error:
        raise DownloadError(
            f"could not download {jar.coordinate} of Apache Kafka: {_reason(error)}. Check the "
            "network and HTTPS_PROXY; a mirror goes under [repositories] in ~/.config/jgo.conf"
        ) from error
    file.replace(folder / jar.filename)


class _AlteredError(OSError):
    """The downloaded file's checksum is not the one in the lock."""


def _reason(error: Exception) -> str:
    cause = error
    while (deeper := cause.__cause__ or cause.__context__) and isinstance(deeper, Exception):
        cause = deeper
    return f"{str(cause) or type(cause).__name__}".splitlines()[0]


def _maven(repo_cache: Path, advance: Advance) -> MavenContext:
    """Where to download from: the user's configured repositories first, then jgo's default."""

    @contextmanager
    def progress(_filename: str, _size: int) -> Iterator[Advance]:
        yield advance

    own = GlobalSettings.load().repositories
    return MavenContext(
        resolver=PythonResolver(progress_callback=progress),
        repo_cache=repo_cache,
        local_repos=[],
        remote_repos=own if "central" in own else {**own, "central": MAVEN_CENTRAL_URL},
        timeout=TIMEOUT_SECONDS,
    )


def write_lock(path: Path = LOCK) -> None:
    """Resolve ``BROKER`` and its run-time dependencies, and write the lock."""
    with tempfile.TemporaryDirectory() as scratch:
        context = _maven(Path(scratch), lambda _bytes: None)
        group, artifact, version = BROKER
        broker = context.create_dependency(Coordinate(group, artifact, version, scope="compile"))
        # One root only: with several, jgo lets each manage all versions and would lower Kafka's.
        roots, others = context.resolver.resolve([broker])
        group, artifact, version = LOGGING
        artifacts = [
            *(each.artifact for each in roots),
            *(each.artifact for each in others if each.scope in {"compile", "runtime"}),
            context.project(group, artifact).at_version(version).artifact(),
        ]
        rows = [_lock_row(each) for each in artifacts]
    header = "# sha256, size in bytes, coordinate; made by python -m sandbox.servers.jar_download\n"
    lines = (f"{row.sha256} {row.size} {row.coordinate}\n" for row in sorted(rows, key=_coordinate))
    path.write_text(header + "".join(lines))


def _lock_row(artifact: Artifact) -> Jar:
    content = artifact.resolve().read_bytes()
    coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
    return Jar(hashlib.sha256(content).hexdigest(), len(content), coordinate)


def _coordinate(jar: Jar) -> str:
    return jar.coordinate


if __name__ == "__main__":
    write_lock()
