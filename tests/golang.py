"""Go programs that tests use, built once from pinned modules into the cache folder."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.errors import DownloadError, SandboxError
from sandbox.servers.jars import cache_folder

WITHIN_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Module:
    """A module at one version.

    Args:
        path: the module's path.
        version: its tag.
        digest: the hash of its files, in go.sum's notation.
    """

    path: str
    version: str
    digest: str

    def source(self) -> Path:
        """Returns the folder of its files; downloads them if needed.

        Raises:
            SandboxError: Go is not installed.
            DownloadError: the download failed, or its hash is not the pinned one.
        """
        named = f"{self.path}@{self.version}"
        module = json.loads(_go(Path.cwd(), "mod", "download", "-json", named))
        if module["Sum"] != self.digest:
            raise DownloadError(f"{named} has another hash than the pinned one: {module['Sum']}")
        return Path(module["Dir"])

    def program(self, name: str, package: str = ".") -> Path:
        """Returns the program of one of its packages; builds it if needed. Raises like ``source``.

        The module's own go.sum pins its dependencies, which are downloaded once.
        """
        built = cache_folder().with_name(f"{name}-{self.version}") / name
        _go(self.source(), "build", "-mod=readonly", "-o", str(built), package)
        return built


def _go(folder: Path, *arguments: str) -> str:
    """Runs Go in a folder, and returns its output."""
    go = shutil.which("go")
    if go is None:
        raise SandboxError("this needs Go, to build a program: no `go` is on the PATH")
    done = subprocess.run(  # noqa: S603 -- nothing but constants of this project
        [go, *arguments],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip()
        raise DownloadError(f"`go {' '.join(arguments)}` failed: {output}")
    return done.stdout
