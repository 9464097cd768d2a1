"""Field reports over HTTP: what may be filed in three taps."""

import pytest

from tests.cast import Stage
from tests.situation import ticketing


@pytest.mark.parametrize("kind", ["fault", "crowd", "fire", "leak"])
def test_a_type_that_speaks_for_itself_needs_no_words(stage: Stage, kind: str) -> None:
    """The type and the send button: whoever runs has no time for more."""
    incident = ticketing(stage)
    stage["commander"].fact("/reports", {"incident": incident, "type": kind})


@pytest.mark.parametrize("kind", ["status", "other"])
def test_a_type_that_says_nothing_alone_asks_for_words(stage: Stage, kind: str) -> None:
    incident = ticketing(stage)
    stage["commander"].refused("/reports", {"incident": incident, "type": kind}, 422, "report_empty")
