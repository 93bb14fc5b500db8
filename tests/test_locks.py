"""The lock files: one version of each package, a hash for every file, and no registry's address."""

import json
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
RUN_TIME = PROJECT / "requirements.lock"
DEVELOPMENT = PROJECT / "requirements-dev.lock"
#: The lock of a benchmark's peer, which needs older versions of some packages.
QUIX = PROJECT / "bench" / "peers" / "quix" / "requirements.lock"
#: The locks of the examples' own packages.
CONSUMER = PROJECT / "examples" / "python_consumer" / "requirements.lock"
NODE_CONSUMER = PROJECT / "examples" / "node_consumer" / "package-lock.json"
#: The locks of what makes clients of the documents.
CLIENTS = PROJECT / "tests" / "service" / "clients" / "requirements.lock"
NODE_CLIENTS = CLIENTS.with_name("package-lock.json")
#: Dependencies of the service's libraries that the sandbox uses directly.
BROUGHT_ALONG = {"aiohttp", "requests"}
OLDER = {"pydantic", "pydantic-core", "pydantic-settings"}
PACKAGE = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^ ;]+)( ; (?P<marker>[^\\]+))? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")

#: Hosts of package registries, in pieces, because this file must not name one either.
REGISTRIES = (
    ("pypi", "org"),
    ("python" + "hosted", "org"),
    ("anaconda", "org"),
    ("npmjs", "org"),
    ("npmjs", "com"),
    ("yarnpkg", "com"),
    ("maven", "org"),
    ("maven", "apache", "org"),
    ("debian", "org"),
    ("ubuntu", "com"),
    ("alpinelinux", "org"),
    ("crates", "io"),
    ("proxy", "golang", "org"),
    ("rubygems", "org"),
    ("docker", "io"),
)


@dataclass(frozen=True)
class Locked:
    """One package of a lock: its version, marker and hashes."""

    version: str
    marker: str | None
    hashes: frozenset[str]


def read(lock: Path) -> dict[str, Locked]:
    """Parses a lock, which contains only requirements and hashes; returns it by package."""
    packages: dict[str, Locked] = {}
    for block in re.split(r"\n(?=\S)", lock.read_text().rstrip("\n")):
        head, *hashes = block.splitlines()
        package = PACKAGE.fullmatch(head)
        assert package is not None, f"{lock.name}: {head}"
        assert all(HASH.fullmatch(line) for line in hashes), f"{lock.name}: {head}"
        name, version, marker = package.group("name", "version", "marker")
        assert name not in packages, f"{lock.name} has {name} twice"
        packages[name] = Locked(version, marker, frozenset(line.strip(" \\") for line in hashes))
    return packages


def names(requirements: list[str]) -> set[str]:
    """The package names in requirements of pyproject.toml."""
    return {re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0].lower() for each in requirements}


def test_both_locks_agree() -> None:
    """The tested versions and files are those that run."""
    run_time, development = read(RUN_TIME), read(DEVELOPMENT)
    assert run_time == {name: development.get(name) for name in run_time}


def test_the_peer_with_a_lock_of_its_own_runs_on_our_versions() -> None:
    """The peer uses our versions, except for a list of known packages."""
    run_time, quix = read(RUN_TIME), read(QUIX)
    assert "quixstreams" in quix
    own = {name: locked.version for name, locked in run_time.items()}
    other = {name for name, version in own.items() if quix[name].version != version}
    assert other == OLDER


@pytest.mark.parametrize(
    "lock", [RUN_TIME, DEVELOPMENT, QUIX, CONSUMER, CLIENTS], ids=lambda lock: lock.parent.name
)
def test_every_package_has_hashes(lock: Path) -> None:
    """Pip refuses a file whose hash is not in the lock."""
    packages = read(lock)
    assert packages
    assert [name for name, locked in packages.items() if not locked.hashes] == []


@pytest.mark.parametrize("lock", [NODE_CONSUMER, NODE_CLIENTS], ids=lambda lock: lock.parent.name)
def test_every_package_for_node_has_a_hash_and_no_address(lock: Path) -> None:
    """Npm refuses another file, and asks the registry that the machine is configured for."""
    packages = json.loads(lock.read_text())["packages"]
    wanted = packages.pop("")["dependencies"]
    assert wanted == json.loads(lock.with_name("package.json").read_text())["dependencies"]
    assert {f"node_modules/{name}" for name in wanted} <= packages.keys()
    for name, package in packages.items():
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package["integrity"]), name
        assert "resolved" not in package, name


def test_the_run_time_lock_has_only_what_runs() -> None:
    """It contains every dependency of the service, and none of the sandbox or the tests only."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    locked = read(RUN_TIME).keys()
    dependencies = names(project["dependencies"])
    extra = set().union(*map(names, project["optional-dependencies"].values()))
    assert dependencies <= locked
    assert (extra - dependencies) & locked == BROUGHT_ALONG


def test_no_file_names_a_registry() -> None:
    """The machine's configuration, not the project, chooses the registry."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 -- git, wherever it is
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    files = [PROJECT / name for name in listed if name and (PROJECT / name).is_file()]
    assert RUN_TIME in files
    hosts = re.compile(
        "|".join(re.escape(".".join(pieces)) for pieces in REGISTRIES), re.IGNORECASE
    )
    found = {
        f"{file.relative_to(PROJECT)}: {host.group()}"
        for file in files
        for host in hosts.finditer(file.read_text(errors="replace"))
    }
    assert found == set()
