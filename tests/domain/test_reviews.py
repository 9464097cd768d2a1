"""How an account of an incident tells its times."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from server.domain.reviews import local_time

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=SHANGHAI), "23:59"),
        (datetime(2026, 12, 31, 0, 5, tzinfo=SHANGHAI), "00:05"),
        (datetime(2026, 12, 30, 23, 59, tzinfo=SHANGHAI), "12月30日 23:59"),
        (datetime(2027, 1, 1, 0, 0, tzinfo=SHANGHAI), "2027年1月1日 00:00"),
    ],
)
def test_a_time_carries_its_date_only_on_another_day(at: datetime, said: str) -> None:
    assert local_time(at, date(2026, 12, 31)) == said
