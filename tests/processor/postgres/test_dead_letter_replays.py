"""When each dead letter was sent again."""

from datetime import timedelta

import pytest

from postgres.ops.operator import note_replayed, replayed
from postgres.stores import Pool
from tests.support.builders import NOW

pytestmark = pytest.mark.anyio


async def test_the_last_replay_of_a_dead_letter_counts(pool: Pool) -> None:
    """An operator who sends it a second time sees when that was."""
    later = NOW + timedelta(hours=1)
    async with pool.connection() as connection:
        await note_replayed(connection, [(0, 7), (1, 7)], NOW)
        await note_replayed(connection, [(0, 7), (0, 8)], later)
        assert await replayed(connection) == {(0, 7): later, (1, 7): NOW, (0, 8): later}
