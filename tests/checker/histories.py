"""Every history that is searched."""

from typing import Final

from tests.domain.histories.contested_histories import CONTESTED_HISTORIES
from tests.domain.histories.history import with_create_result
from tests.domain.test_histories import HISTORIES

ALL_HISTORIES: Final = (*HISTORIES, *map(with_create_result, CONTESTED_HISTORIES))
