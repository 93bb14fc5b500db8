"""Deletes damaged folders of the dedup table; Faust recovers them from the changelog.

Faust opens a partition's RocksDB folder on assignment. If that fails, the worker ends, at every
start again. The changelog has the whole table, so a damaged folder can be deleted without asking.

After a clean exit each folder is only opened. After any other exit it is also read from beginning
to end: damage in the middle would otherwise end the worker at the first lookup there. ``kill -9``
damages nothing; then everything is read and kept.
"""

import shutil
from pathlib import Path
from typing import Final

from rocksdict import AccessType, Options, Rdict

from runtime.logs import get_logger

log = get_logger(__name__)

#: A file that exists from a start until a clean exit.
_MARK: Final = "in-use"
#: How RocksDB's errors about a damaged folder begin; other errors (a lock, no space) are no damage.
_DAMAGE: Final = ("Corruption:", "IO error: No such file or directory:")


def repair(tables: Path) -> list[Path]:
    """Deletes the damaged folders of partitions, and returns them. Called at every start.

    Raises:
        OSError: the folder can't be written to.
    """
    tables.mkdir(parents=True, exist_ok=True)
    mark = tables / _MARK
    thoroughly = mark.exists()
    dropped = []
    for folder in sorted(tables.glob("*.db")):
        damage = _damage(folder, thoroughly=thoroughly)
        if damage is not None:
            log.warning("table.dropped", folder=folder.name, reason=damage)
            shutil.rmtree(folder)
            dropped.append(folder)
    mark.touch()
    return dropped


def mark_clean_exit(tables: Path) -> None:
    """Records a clean exit."""
    (tables / _MARK).unlink(missing_ok=True)


def _damage(folder: Path, *, thoroughly: bool) -> str | None:
    """Returns the error of a damaged folder; None if it is sound or the error is another one."""
    try:
        database = Rdict(str(folder), Options(raw_mode=True), access_type=AccessType.read_only())
        try:
            entries = database.iter()
            entries.seek_to_first()
            while thoroughly and entries.valid():
                entries.next()
            entries.status()  # raises the error that ended the iteration, if any
        finally:
            database.close()
    except Exception as error:  # noqa: BLE001  # rocksdict has no class of its own for errors
        return str(error) if str(error).startswith(_DAMAGE) else None
    return None
