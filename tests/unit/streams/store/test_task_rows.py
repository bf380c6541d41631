"""What rows of one submission come to; the integration tests compare it with the statement."""

from decimal import Decimal

from builders import a_finding, a_finished, a_spend, a_task
from schemas.base import Outcome
from streams.store.task_rows import Progress, finished_row, merged, progress_row

TASK = a_task()
GENERATED = progress_row(TASK, Progress.GENERATED, title="the page", spend=a_spend(calls=3))
DEAD = finished_row(a_finished(outcome=Outcome.DEAD_LETTERED, title=None, url=None))


def test_a_row_says_what_its_event_says() -> None:
    row = finished_row(a_finished(title="T\0", findings=(a_finding(),), replay=2))

    assert (row.submission_id, row.state, row.stage) == (TASK.submission_id, "published", "publish")
    assert (row.title, row.score, row.replay, row.cost_usd) == ("T\ufffd", 0.9, 2, Decimal("0.001"))
    assert '"check":"length"' in row.findings


def test_there_is_one_row_for_each_submission_in_the_order_of_their_ids() -> None:
    tasks = [a_task(row=row) for row in range(1, 6)]

    rows = merged(progress_row(task, progress) for task in tasks for progress in Progress)

    assert [row.submission_id for row in rows] == sorted(task.submission_id for task in tasks)
    assert {row.state for row in rows} == {"in_review"}


def test_an_end_without_a_page_keeps_the_title_that_was_read_after_it_and_the_greater_spend() -> None:
    [row] = merged([DEAD, GENERATED])

    assert (row.state, row.title, row.url, row.calls) == ("dead_lettered", "the page", None, 3)


def test_the_first_outcome_stays_until_a_replay() -> None:
    again = progress_row(TASK, Progress.CLASSIFIED, replay=1)
    cancelled = finished_row(a_finished(outcome=Outcome.CANCELLED))

    assert merged([DEAD, cancelled]) == [DEAD]
    assert [row.state for row in merged([DEAD, again, cancelled])] == ["classified"]


def test_an_input_may_be_an_integer_of_any_size() -> None:
    row = progress_row(a_task(inputs={"number": 2**70}), Progress.ACCEPTED)

    assert row.inputs == '{"number":1180591620717411303424}'
