"""Programs written in Go that tests use: a pinned module, built once into the cache folder."""

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
        path: its name.
        version: as its tag says it.
        digest: the hash of its files, as a go.sum has it.
    """

    path: str
    version: str
    digest: str

    def source(self) -> Path:
        """Its files, downloaded where that was not done before.

        Raises:
            SandboxError: there is no Go.
            DownloadError: it could not be had, or is not the one that was pinned.
        """
        asked = f"{self.path}@{self.version}"
        module = json.loads(_go(Path.cwd(), "mod", "download", "-json", asked))
        if module["Sum"] != self.digest:
            raise DownloadError(f"{asked} is not the one that was pinned: {module['Sum']}")
        return Path(module["Dir"])

    def program(self, name: str, package: str = ".") -> Path:
        """One of its packages as a program, built where that was not done before. Raises as above.

        What it depends on is what the module's own go.sum names, and nobody is asked for that
        once it is there.
        """
        built = cache_folder().with_name(f"{name}-{self.version}") / name
        _go(self.source(), "build", "-mod=readonly", "-o", str(built), package)
        return built


def _go(folder: Path, *arguments: str) -> str:
    """What Go answers in a folder."""
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
        said = (done.stderr or done.stdout).strip()
        raise DownloadError(f"`go {' '.join(arguments)}` says: {said}")
    return done.stdout
