"""A trend is told from noise."""

import random

import pytest

from benchmarks.scenarios.trend import BLOCKS, trend

EACH_S = 5.0
COUNT = 360


def series(growth_per_h: float, noise: float) -> list[tuple[float, float]]:
    chance = random.Random(7)
    return [
        (number * EACH_S, 120.0 + growth_per_h * number * EACH_S / 3600 + chance.gauss(0, noise))
        for number in range(COUNT)
    ]


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_growth_is_found_and_significant(noise: float) -> None:
    found = trend(series(growth_per_h=10.0, noise=noise))

    assert found.per_h == pytest.approx(10.0, rel=0.2)
    assert 0 < found.low_per_h <= found.per_h <= found.high_per_h


def test_noise_alone_is_not_significant() -> None:
    found = trend(series(growth_per_h=0.0, noise=2.0))

    assert found.low_per_h < 0 < found.high_per_h


def test_what_jumps_once_and_comes_back_is_no_growth() -> None:
    jumping = [(at_s, value + 50 * (100 < at_s < 150)) for at_s, value in series(0.0, 0.5)]

    assert trend(jumping).low_per_h < 0


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least"):
        trend(series(0.0, 0.0)[: BLOCKS - 1])
