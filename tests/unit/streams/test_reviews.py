"""A decision leads to the page's next event, or to the task's end, and to the decision's own event."""

from builders import a_review_decided, a_task, a_validated
from schemas.base import Outcome, Stage
from schemas.codec import decode
from schemas.events import ReviewDecided, TaskFinished, TaskValidated
from streams.envelope import Lineage
from streams.reviews import SOURCE, decision_records

LINEAGE = Lineage(source=SOURCE, replay=2)


def test_an_approved_page_goes_on_with_its_reviewers_name() -> None:
    page, decision = decision_records(a_validated(), a_review_decided(), LINEAGE)

    assert page.topic == "pressline.task.validated.bulk.v1"
    assert page.key == a_task().key
    assert decode(page.value, TaskValidated) == a_validated(reviewer="ann@example.org")
    assert decision.topic == "pressline.review.decided.v1"
    assert decode(decision.value, ReviewDecided) == a_review_decided()


def test_a_rejected_page_ends_its_task_with_the_reviewers_reason() -> None:
    decided = a_review_decided(approved=False, reason="wrong city")

    end, _ = decision_records(a_validated(), decided, LINEAGE)

    finished = decode(end.value, TaskFinished)
    assert end.topic == "pressline.task.finished.v1"
    assert (finished.outcome, finished.stage) == (Outcome.REJECTED, Stage.VALIDATE)
    assert finished.reason == "rejected by ann@example.org: wrong city"
    assert (finished.replay, finished.spend) == (2, a_validated().spend)


def test_the_longest_reason_fits() -> None:
    decided = a_review_decided(approved=False, reason="x" * 500)

    end, _ = decision_records(a_validated(), decided, LINEAGE)

    assert len(decode(end.value, TaskFinished).reason) == 500


def test_the_same_decision_has_the_same_event_ids() -> None:
    once = decision_records(a_validated(), a_review_decided(), LINEAGE)
    again = decision_records(a_validated(), a_review_decided(), LINEAGE)

    assert [dict(r.headers)["ce_id"] for r in once] == [dict(r.headers)["ce_id"] for r in again]
    assert dict(once[0].headers)["replay-count"] == b"2"
