from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from mipres.mail.dates import long_date, long_date_time


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (date(2026, 1, 1), "1 de enero de 2026"),
        (date(2026, 9, 30), "30 de septiembre de 2026"),
        (date(2026, 12, 31), "31 de diciembre de 2026"),
    ],
)
def test_a_date_in_words(day: date, text: str) -> None:
    assert long_date(day) == text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 23, 23, 5, tzinfo=UTC), "23 de noviembre de 2026 a las 6:05 p. m."),
        (datetime(2026, 11, 23, 4, 59, 59, tzinfo=UTC), "22 de noviembre de 2026 a las 11:59 p. m."),
        (datetime(2026, 11, 23, 5, 0, tzinfo=UTC), "23 de noviembre de 2026 a las 12:00 a. m."),
        (datetime(2026, 11, 23, 16, 59, tzinfo=UTC), "23 de noviembre de 2026 a las 11:59 a. m."),
        (datetime(2026, 11, 23, 17, 0, tzinfo=UTC), "23 de noviembre de 2026 a las 12:00 p. m."),
        (datetime(2026, 11, 23, 6, 0, tzinfo=UTC), "23 de noviembre de 2026 a la 1:00 a. m."),
        (datetime(2026, 11, 23, 18, 59, tzinfo=UTC), "23 de noviembre de 2026 a la 1:59 p. m."),
        (datetime(2027, 1, 1, 3, 0, tzinfo=UTC), "31 de diciembre de 2026 a las 10:00 p. m."),
        (
            datetime(2026, 11, 23, 12, 30, tzinfo=timezone(timedelta(hours=1))),
            "23 de noviembre de 2026 a las 6:30 a. m.",
        ),
    ],
)
def test_a_moment_is_told_in_the_time_of_colombia(moment: datetime, text: str) -> None:
    assert long_date_time(moment) == f"{text} (hora de Colombia)"
