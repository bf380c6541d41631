"""Times of records, whatever number their producer sent."""

from datetime import UTC, datetime

import pytest

from streams.engine.timestamps import moment


@pytest.mark.parametrize(
    ("timestamp_ms", "told"),
    [
        (1_767_323_045_123, datetime(2026, 1, 2, 3, 4, 5, 123_000, UTC)),
        (None, datetime(1970, 1, 1, tzinfo=UTC)),
        (-(10**15), datetime(1970, 1, 1, tzinfo=UTC)),
        (1_767_323_045_123_000_000, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_what_a_datetime_can_tell(timestamp_ms: int | None, told: datetime) -> None:
    assert moment(timestamp_ms) == told
