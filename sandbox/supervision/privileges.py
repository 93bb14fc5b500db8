"""The unprivileged user PostgreSQL runs as when the sandbox itself runs as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True)
class User:
    """A system user by its numbers."""

    uid: int
    gid: int


def unprivileged_user() -> User | None:
    """The user to switch to; None when this process is not root.

    Raises:
        SandboxError: this is root and the system has none of the usual unprivileged users.
    """
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_uid, entry.pw_gid)
    raise SandboxError(
        "PostgreSQL refuses to run as root and this system has no user "
        f"{' or '.join(CANDIDATES)}: run the sandbox as an ordinary user"
    )


def make_reachable(path: Path) -> None:
    """Let any user traverse the folders above ``path`` (o+x), but not list them."""
    for folder in path.resolve().parents:
        _add_mode(folder, stat.S_IXOTH)


def make_readable(tree: Path) -> None:
    """Let any user read ``tree``, and execute what its owner may execute."""
    make_reachable(tree)
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            continue
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        _add_mode(path, stat.S_IROTH | (stat.S_IXOTH if executable else 0))


def own_folder(folder: Path, user: User | None) -> None:
    """Create ``folder`` with mode 0700, owned by ``user`` (None: the current user)."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if user is not None:
        os.chown(folder, user.uid, user.gid)
        make_reachable(folder)


def _add_mode(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits != bits:
        path.chmod(mode | bits)
