"""Every history that is searched."""

from typing import Final

from tests.domain.contested_histories import CONTESTED_HISTORIES
from tests.domain.history import answered
from tests.domain.test_histories import HISTORIES

ALL_HISTORIES: Final = (*HISTORIES, *map(answered, CONTESTED_HISTORIES))
