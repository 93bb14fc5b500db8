"""Throws away what can't be read of the table of seen events; Faust reads it anew from Kafka.

Faust opens a partition's RocksDB when it is assigned, and ends where that fails, at every start
again. The table is only the fast path in front of Postgres, and its changelog has all of it: a
damaged folder is worth nothing, and nobody has to be asked.

After an end in good order each folder is only opened here. After any other it is also read from
beginning to end, because damage in the middle is met only by who asks for a key there, and ends the
worker then. Kill -9 damages nothing: then everything is read, and kept.
"""

import shutil
from pathlib import Path
from typing import Final

from rocksdict import AccessType, Options, Rdict

from runtime.logs import get_logger

log = get_logger(__name__)

#: Is there from a start until an end in good order.
_MARK: Final = "in-use"
#: How RocksDB's errors begin that no waiting mends; others (a lock, no space) are not the folder's.
_DAMAGE: Final = ("Corruption:", "IO error: No such file or directory:")


def mend(tables: Path) -> list[Path]:
    """Drops each partition's folder that is damaged; answers which. To be called at every start.

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


def closed(tables: Path) -> None:
    """The worker has ended in good order."""
    (tables / _MARK).unlink(missing_ok=True)


def _damage(folder: Path, *, thoroughly: bool) -> str | None:
    """What is wrong with a folder; None where it is sound, or somebody else's to judge."""
    try:
        database = Rdict(str(folder), Options(raw_mode=True), access_type=AccessType.read_only())
        try:
            entries = database.iter()
            entries.seek_to_first()
            while thoroughly and entries.valid():
                entries.next()
            entries.status()  # raises what ended the walk, where it was not the end
        finally:
            database.close()
    except Exception as error:  # noqa: BLE001  # rocksdict has no class of its own for errors
        return str(error) if str(error).startswith(_DAMAGE) else None
    return None
