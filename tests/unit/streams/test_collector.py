"""A process with much in flight has its garbage collected less often."""

import gc
from collections.abc import Iterator

import pytest

from streams.collector import GC_THRESHOLDS, spare_collector


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_what_is_there_is_left_out_and_the_rest_is_looked_at_less_often() -> None:
    young = gc.get_threshold()[0]

    spare_collector()

    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == GC_THRESHOLDS
    assert GC_THRESHOLDS[0] > young
