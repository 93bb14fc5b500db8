"""What Postgres writes is counted from its log."""

import asyncio

import psycopg

from bench.load import wal
from bench.load.wal import Written
from bench.site import Site

#: As printed by ``pg_waldump --stats=record``.
PRINTED = """\
WAL statistics between 0/1B2B3C8 and 0/1B3DDE8:
Type                           N      (%)          Record size      (%)             FPI size      (%)        Combined size      (%)
----                           -      ---          -----------      ---             --------      ---        -------------      ---
XLOG/CHECKPOINT_ONLINE         1 (  0.19)                  114 (  0.36)                    0 (  0.00)                  114 (  0.15)
Heap/INSERT                  101 ( 19.24)                10302 ( 32.61)                 8192 ( 18.00)                18494 ( 24.00)
Heap/UPDATE                    2 (  0.38)                  200 (  0.63)                    0 (  0.00)                  200 (  0.26)
Heap/HOT_UPDATE                5 (  0.95)                  500 (  1.58)                 4096 (  9.00)                 4596 (  6.00)
Heap/HOT_UPDATE+INIT           1 (  0.19)                  100 (  0.32)                    0 (  0.00)                  100 (  0.13)
                        --------                      --------                      --------                      --------
Total                        110                         11216 [47.72%]                12288 [52.28%]                23504 [100%]
"""  # noqa: E501


def test_bytes_and_updates_are_added_up() -> None:
    """Pages count as bytes too; a HOT update is an update."""
    found = wal.parse(PRINTED)
    assert found == Written(bytes=23_504, page_bytes=12_288, updates=8, hot_updates=6)
    assert found + found == Written(47_008, 24_576, 16, 12)
    assert found.figures(4) == {
        "wal_bytes": 5_876.0,
        "wal_page_bytes": 3_072.0,
        "hot_percent": 75.0,
    }


def test_the_first_change_after_a_checkpoint_writes_the_page(site: Site) -> None:
    """The second change of the page writes only itself. Both are HOT."""
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        connection.execute("create table counted (id int primary key, number int)")
        connection.execute("insert into counted select n, 0 from generate_series(1, 50) as n")
        asyncio.run(wal.checkpoint(site))
        found = []
        for _ in range(2):
            begin = asyncio.run(wal.position(site))
            connection.execute("update counted set number = number + 1 where id = 7")
            found.append(asyncio.run(wal.since(site, begin)))
    first, second = found
    assert (first.updates, first.hot_updates) == (second.updates, second.hot_updates) == (1, 1)
    assert first.page_bytes > 500  # compressed
    assert second.page_bytes == 0
    assert 0 < second.bytes < 1_000
