"""A seed means one schedule, made of the rows that were asked for."""

import pytest

from chaos.fault_matrix import FAULTS, choose
from chaos.schedule import plan_faults, plan_kills


def test_a_seed_means_one_schedule() -> None:
    faults = choose("all", 3)

    assert plan_kills(10, seed=7) == plan_kills(10, seed=7) != plan_kills(10, seed=8)
    assert plan_faults(faults, 2, seed=7) == plan_faults(faults, 2, seed=7) != plan_faults(faults, 2, seed=8)


def test_every_row_of_the_matrix_is_one_fault() -> None:
    assert len({fault.row for fault in FAULTS}) == len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_all_means_what_fits_the_brokers() -> None:
    assert {fault.row for fault in choose("all", 3)} - {fault.row for fault in choose("all", 1)} == {"K3"}
    assert choose("none", 1) == ()


@pytest.mark.parametrize("text", ["K3", "K99", "W1", ""])
def test_a_row_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected some of"):
        choose(text, 1)
