from fakes.loads import a_status
from streams.progress import (
    WINDOW,
    ProgressMeter,
    failed,
    imbalance,
    is_finished,
    is_settled,
    settled,
)


def test_rate_and_time_left_come_from_what_settled() -> None:
    meter = ProgressMeter()
    meter.update(100.0, a_status(accepted=10), simulated=True)

    progress = meter.update(102.0, a_status(published=3, in_review=1, accepted=6), simulated=True)

    assert progress.rows_per_s == 2.0
    assert progress.left_s == 3.0
    assert progress.simulated


def test_without_movement_there_is_no_estimate_and_the_stall_is_timed() -> None:
    meter = ProgressMeter()
    for now_s in (0.0, 30.0):
        meter.update(now_s, a_status(accepted=10), simulated=False)

    progress = meter.update(61.0, a_status(accepted=10), simulated=False)

    assert progress.left_s is None
    assert progress.stalled_s == 61.0


def test_any_change_ends_a_stall() -> None:
    meter = ProgressMeter()
    meter.update(0.0, a_status(accepted=10), simulated=False)
    meter.update(61.0, a_status(accepted=10), simulated=False)

    assert meter.update(62.0, a_status(accepted=9, classified=1), simulated=False).stalled_s == 0.0


def test_the_rate_forgets_what_is_long_ago() -> None:
    meter = ProgressMeter()
    for now_s in range(2 * WINDOW):
        meter.update(float(now_s), a_status(published=min(now_s, 5)), simulated=False)

    progress = meter.update(2.0 * WINDOW, a_status(published=5), simulated=False)

    assert progress.rows_per_s == 0.0


def test_a_row_in_review_is_settled_but_not_finished() -> None:
    status = a_status(published=9, in_review=1)

    assert is_settled(status)
    assert not is_finished(status)
    assert (settled(status), imbalance(status), failed(status)) == (10, 0, 0)


def test_a_load_that_is_not_sent_is_not_settled() -> None:
    assert not is_settled(a_status(rows_sent=9, published=10))


def test_what_ended_without_a_page_is_counted() -> None:
    status = a_status(published=5, rejected=2, dead_lettered=1, cancelled=1, expired=1)

    assert is_finished(status)
    assert failed(status) == 5


def test_outcomes_too_many_are_an_imbalance() -> None:
    assert imbalance(a_status(published=11)) == -1
