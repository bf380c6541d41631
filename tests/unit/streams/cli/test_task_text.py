"""A task's path for eyes and for programs."""

from decimal import Decimal
from io import StringIO

import orjson
import pytest
from rich.console import Console

from builders import NOW, a_finding, a_plan
from fakes.task_path import a_call, a_path, a_planned_event, an_event, an_indexed_task
from streams.cli.task_text import WORDS, json_line, parts, plain
from streams.store.task_events import EventKind
from streams.task_path import TaskPath
from streams.task_where import Where

FAILED = a_call(
    state="unknown", cost_usd=Decimal("0.02"), error="ProviderTimeoutError: 30 s", finish_reason=None
)
PLAN = a_plan().model_dump(mode="json")
REPAIR = {"round": 1, "findings": [a_finding().model_dump(mode="json")]}


def shown(path: TaskPath, where: Where | None = None) -> str:
    console = Console(width=250, file=StringIO())
    for part in parts(path, where):
        console.print(part)
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


def test_a_person_reads_plan_reason_calls_checks_and_what_it_waits_for() -> None:
    plan = a_planned_event()
    repair = a_planned_event(event_id="2", stage="validate", detail={**plan.detail, "repair": REPAIR})
    where = Where(stage="generate", waits_for="quota openai", since=NOW, todo="raise the limit")

    text = shown(a_path(plan, repair, calls=(FAILED, a_call(attempt=2))), where)

    for words in (
        "generate: waits for quota openai, since 2026-01-02 03:04:05Z. To do: raise the limit",
        "Difficulty 0.2 is at most 0.5: the small tier is good enough.",
        "0.001 USD for 1 answers, 0.021 USD with failed calls",
        "ProviderTimeoutError: 30 s",
        "sent back, repair round 1: 1 findings",
        "error length (before repair 1): 100 words, expected at least 120",
    ):
        assert words in text


def test_a_call_says_when_it_was_paid_before_and_when_its_model_is_not_the_plans() -> None:
    calls = (a_call(replayed=True), a_call(step="outline", model="mid-1", response_model="mid-1-2026"))

    text = shown(a_path(a_planned_event(), calls=calls))

    assert "replayed, paid before" in text
    assert "mid-1 as mid-1-2026 (the step's own tier)" in text


def test_a_call_says_what_it_was_asked_without_and_the_plan_how_much_models_think() -> None:
    plan = a_planned_event(detail={"plan": {**PLAN, "reasoning_effort": "medium"}, "repair": None})
    call = a_call(trimmed=("examples", "notes"))

    text = shown(a_path(plan, calls=(call,)))

    assert "answered, trimmed examples and notes" in text
    assert "small-1 of tier small, medium effort, recipe" in text
    assert '"trimmed":["examples","notes"]' in json_line(plain(a_path(plan, calls=(call,)), None))


def test_a_call_says_in_place_of_which_model_it_was_made_and_which_is_a_hedge() -> None:
    calls = (
        a_call(model="mid-1", fallback_from="small-1", fallback_reason="provider_timeout"),
        a_call(model="mid-1", step="write/hedge-1"),
    )

    text = " ".join(shown(a_path(a_planned_event(), calls=calls)).split())

    assert "mid-1 (in place of small-1: provider_timeout)" in text
    assert "mid-1 (a hedge)" in text


def test_a_task_that_nothing_is_known_of_is_shown_as_that() -> None:
    text = shown(a_path())

    assert "none yet: classified" in text
    assert "checks: no findings" in text


def test_text_of_others_does_not_steer_the_terminal() -> None:
    assert "\x1b" not in shown(a_path(task=an_indexed_task(title="\x1b[31mred", reason="\x1b[2J")))


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_has_words(kind: EventKind) -> None:
    assert kind in WORDS


def test_a_program_reads_the_whole_path_with_money_as_text() -> None:
    finished = an_event(EventKind.FINISHED, detail={"outcome": "published"})
    path = a_path(a_planned_event(), finished, calls=(a_call(),), others=(an_indexed_task(),))

    found = orjson.loads(json_line(plain(path, Where(stage="publish", waits_for="news"))))

    assert (found["cost_usd"], found["booked_usd"], found["calls_made"][0]["cost_usd"]) == ("0.001",) * 3
    assert [step["kind"] for step in found["steps"]] == ["classified", "finished"]
    assert (found["where"]["waits_for"], found["plan"]["tier"]) == ("news", "small")
    assert found["calls_made"][0]["usage"]["input_fresh"] == 400
