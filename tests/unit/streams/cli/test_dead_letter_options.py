"""Positions and ages are understood, or refused with what was expected."""

from datetime import UTC, datetime, timedelta

import click
import pytest

from streams.cli.dead_letter_options import POSITION, AgeType
from streams.dead_letters import Position


def test_a_position_is_topic_partition_and_offset() -> None:
    position = POSITION.convert("pressline.generate.dead.v1/3/17", None, None)

    assert position == Position("pressline.generate.dead.v1", 3, 17)
    assert str(position) == "pressline.generate.dead.v1/3/17"


@pytest.mark.parametrize(
    "text",
    [
        "pressline.task.finished.v1/0/1",
        "pressline.generate.dead.v1",
        "pressline.generate.dead.v1/0",
        "pressline.generate.dead.v1/0/-1",
        "pressline.generate.dead.v1/0/1/2",
        f"pressline.generate.dead.v1/0/{'9' * 30}",
    ],
)
def test_anything_else_is_wrong_use(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not"):
        POSITION.convert(text, None, None)


@pytest.mark.parametrize(("text", "age_s"), [("90s", 90), ("30m", 1800), ("1h", 3600), ("2d", 172_800)])
def test_an_age_is_a_moment_in_the_past(text: str, age_s: int) -> None:
    moment = AgeType().convert(text, None, None)

    assert abs(datetime.now(UTC) - moment - timedelta(seconds=age_s)) < timedelta(seconds=10)


@pytest.mark.parametrize("text", ["1", "h", "1w", "-1h", "1.5h", "999999d"])
def test_no_age_is_guessed(text: str) -> None:
    with pytest.raises(click.BadParameter):
        AgeType().convert(text, None, None)
