"""A phase may take as long as its work needs, and ends with a reason when nothing comes of it."""

from chaos.patience import STALL_S_MAX, Patience

HOUR_S = 3600.0


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_it_lasts_while_something_moves_and_ends_when_nothing_did_for_long() -> None:
    clock = Clock()
    patience = Patience(1000, 0, clock)

    for moved in range(5):
        clock.now_s += 0.9 * STALL_S_MAX
        assert patience.ended(moved) is None

    clock.now_s += STALL_S_MAX
    assert "nothing moved" in (patience.ended(4) or "")


def test_what_moves_for_ever_comes_to_an_end_later_for_more_work() -> None:
    clock = Clock()
    few, many = Patience(1000, 2, clock), Patience(100_000, 55, clock)

    clock.now_s += HOUR_S
    assert "still moves" in (few.ended("on its way") or "")
    assert many.ended("on its way") is None

    clock.now_s += 24 * HOUR_S
    assert many.ended("still on its way") is not None
