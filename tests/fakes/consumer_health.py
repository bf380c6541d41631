"""The health of a stage consumer that is well, with any field to vary."""

from typing import Any

from streams.engine.state import ConsumerHealth


def a_health(**changes: Any) -> ConsumerHealth:
    well: dict[str, Any] = {
        "joined": True,
        "assigned": 8,
        "last_poll_age_s": 0.1,
        "in_flight": 0,
        "oldest_in_flight_s": 0.0,
        "waiting": {},
        "full": False,
        "commit_error": None,
        "finished": 0,
    }
    return ConsumerHealth(**{**well, **changes})
