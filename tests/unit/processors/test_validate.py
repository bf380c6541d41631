"""What validate makes of a page."""

from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, a_document, a_generated, a_plan, a_spend, a_task
from fakes.page_index import FakePageIndex
from fakes.stage_ports import a_recipe, some_ports
from processors.errors import StoreUnavailableError
from processors.ports import Ports
from processors.validate import validate
from schemas.base import Outcome, Risk, Severity, Stage
from schemas.events import ReviewRequested, TaskClassified, TaskFinished, TaskValidated
from schemas.recipe import CheckRule, ReviewRule

GROUNDED = (CheckRule(check="grounded-numbers"), CheckRule(check="grounded-names"))
BAD_BODY = "Fly from {city} to Rome."


def ports_with(pages: FakePageIndex | None = None, **recipe: Any) -> Ports:
    return some_ports(recipe=a_recipe(**{"checks": GROUNDED, **recipe}), pages=pages or FakePageIndex())


async def test_a_good_page_goes_on_with_score_one_and_its_names_reserved() -> None:
    pages = FakePageIndex()
    event = a_generated()

    result = await validate(event, ports_with(pages))

    assert result == TaskValidated(
        task=event.task, plan=event.plan, document=event.document, score=1.0, findings=(), spend=event.spend
    )
    assert set(pages.owners.values()) == {event.task.task_id}


async def test_a_page_past_its_deadline_ends_as_expired_and_takes_no_name() -> None:
    pages = FakePageIndex()
    event = a_generated(task=a_task(deadline=NOW - timedelta(seconds=1)))

    result = await validate(event, ports_with(pages))

    assert isinstance(result, TaskFinished)
    assert (result.outcome, result.stage) == (Outcome.EXPIRED, Stage.VALIDATE)
    assert result.spend == event.spend
    assert pages.owners == {}


async def test_errors_send_the_page_back_with_plan_spend_and_findings() -> None:
    pages = FakePageIndex()
    event = a_generated(document=a_document(body=BAD_BODY), spend=a_spend(calls=3))

    result = await validate(event, ports_with(pages))

    assert isinstance(result, TaskClassified)
    assert (result.plan, result.spend, result.task) == (event.plan, event.spend, event.task)
    assert result.repair is not None
    assert result.repair.round == 1
    assert [found.check for found in result.repair.findings] == ["leftovers"]
    assert pages.owners == {}


async def test_errors_after_the_last_repair_round_reject_the_page_with_the_worst_as_reason() -> None:
    event = a_generated(document=a_document(body=BAD_BODY), repair_round=1)

    result = await validate(event, ports_with())

    assert isinstance(result, TaskFinished)
    assert result.outcome is Outcome.REJECTED
    assert result.reason.startswith("leftovers: the body holds")
    assert result.score == 0.5
    assert result.findings
    assert result.title == event.document.title


async def test_a_risky_task_waits_for_a_person_with_all_that_publishing_needs() -> None:
    event = a_generated(plan=a_plan(risk=Risk.HIGH))

    result = await validate(event, ports_with())

    assert isinstance(result, ReviewRequested)
    assert result.held.document == event.document
    assert "risk is high" in result.reason


async def test_a_slug_of_another_task_holds_the_page_and_is_never_repaired() -> None:
    pages = FakePageIndex()
    pages.owners["flights", "slug", "flights-cdg-fco"] = "other/task"

    result = await validate(a_generated(), ports_with(pages))

    assert isinstance(result, ReviewRequested)
    assert "that of task 'other/task'" in result.reason
    assert result.held.score == 1.0
    assert [found.severity for found in result.held.findings] == [Severity.ERROR]


async def test_a_title_of_another_task_is_rewritten_first_then_held() -> None:
    pages = FakePageIndex()
    pages.owners["flights", "title", a_document().title.casefold()] = "other/task"

    first = await validate(a_generated(), ports_with(pages))
    second = await validate(a_generated(repair_round=1), ports_with(pages))

    assert isinstance(first, TaskClassified)
    assert isinstance(second, ReviewRequested)


async def test_the_same_page_again_gives_the_same_result() -> None:
    ports = ports_with()

    assert await validate(a_generated(), ports) == await validate(a_generated(), ports)


async def test_warnings_go_along_with_a_page_that_passes() -> None:
    event = a_generated(document=a_document(body="You can fly with Lufthansa, or wait 900 days."))

    result = await validate(event, ports_with())

    assert isinstance(result, TaskValidated)
    assert sorted(found.check for found in result.findings) == ["grounded-names", "grounded-numbers"]
    assert result.score == 0.8


async def test_the_review_rule_of_the_recipe_decides() -> None:
    event = a_generated(document=a_document(body="You can fly with Lufthansa."))

    held = await validate(event, ports_with(review=ReviewRule(hold_below=0.95)))
    rejected = await validate(event, ports_with(review=ReviewRule(hold_below=1, reject_below=0.95)))

    assert isinstance(held, ReviewRequested)
    assert isinstance(rejected, TaskFinished)


async def test_a_page_index_that_is_away_is_not_taken_for_a_free_name() -> None:
    pages = FakePageIndex()
    pages.error = StoreUnavailableError("away")

    with pytest.raises(StoreUnavailableError):
        await validate(a_generated(), ports_with(pages))
