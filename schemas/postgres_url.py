"""Checks a Postgres address without repeating any of it in an error.

libpq's errors quote the part that it can't parse, which may be a password with a special character.
So an address that libpq would parse wrongly is refused before it is used.
"""

import re
from typing import Final

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

_FIX: Final = (
    "write postgresql://user:password@host:port/name, with special characters of user and password "
    "percent-encoded (% is %25, @ is %40, / is %2F, : is %3A), or key=value pairs"
)
_PLAIN: Final = re.compile(r"[^\s@]*")
_PORTS: Final = re.compile(r"(?:[0-9]{1,5})?(?:,[0-9]{0,5})*")
_PORT_MAX: Final = 65_535


def checked(url: SecretStr) -> SecretStr:
    """Returns the address. Raises ValueError, whose text contains no part of it."""
    try:
        parts = conninfo_to_dict(url.get_secret_value())
    except (psycopg.Error, ValueError):  # a NUL raises ValueError
        raise ValueError(f"is not a Postgres address; {_FIX}") from None
    plain = ("host", "hostaddr", "user", "dbname")
    wrong = [name for name in plain if not _PLAIN.fullmatch(str(parts.get(name) or ""))]
    ports = str(parts.get("port") or "")
    if not _PORTS.fullmatch(ports) or any(
        int(port) > _PORT_MAX for port in ports.split(",") if port
    ):
        wrong.append("port")
    if wrong:
        raise ValueError(f"its {' and '.join(wrong)} can't be parsed; {_FIX}")
    return url
