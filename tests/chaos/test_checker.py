"""The checker finds what it is there to find: each fault is planted in the artefacts of a good run."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaos.artefacts import (
    Artefacts,
    CallId,
    CallRow,
    Commit,
    GroupPartition,
    Interruption,
    Place,
    Poison,
    Record,
    Request,
    Sample,
    SinkLine,
    Submission,
    TaskRow,
)
from chaos.canaries import find
from chaos.checker import INVARIANTS, check
from chaos.collect import parse_call
from chaos.counters import read_counters
from chaos.services import REQUESTS_PER_MINUTE
from processors.disposition import RetryPolicy
from streams.engine import commit_metadata

SUBMISSION = "0123456789abcdef0123"
TASK = "chaos-000001"
CALL = CallId("rev1", "write", 1)
AGAIN = CallId("rev1", "write", 2)
SUBMITTED = "pressline.task.submitted.live.v1"
POISON_AT = Place(SUBMITTED, 0, 1)
LETTER_AT = Place("pressline.classify.dead.v1", 0, 0)
CLASSIFY = GroupPartition("pressline-classify", SUBMITTED, 0)


def event(topic: str, noun: str, source: str, outcome: str | None = None) -> Record:
    return Record(
        place=Place(f"pressline.{topic}.v1", 0, 0),
        sha256="ab",
        ce_id=f"{SUBMISSION}.{noun}.0.0",
        source=f"urn:pressline:{source}",
        outcome=outcome,
    )


PIPELINE = (
    event("task.submitted.live", "task.submitted", "chaos"),
    event("task.classified.live", "task.classified", "classify"),
    event("task.generated.live", "task.generated", "generate"),
    event("task.validated.live", "task.validated", "validate"),
    event("task.finished", "task.finished", "publish", outcome="published"),
)
USAGE = Record(
    place=Place("pressline.usage.recorded.v1", 0, 0), sha256="ab", ce_id="rev1/write/1", source="urn:x"
)
POISONED = Record(place=POISON_AT, sha256="cd", ce_id="", source="")
LETTER = Record(place=LETTER_AT, sha256="cd", ce_id="", source="", origin=POISON_AT)
ENDS = {(record.place.topic, 0): 1 for record in (*PIPELINE, LETTER)} | {(SUBMITTED, 0): 2}
GOOD = Artefacts(
    submissions=(Submission(submission_id=SUBMISSION, task_id=TASK, result="ok"),),
    poison=(Poison(kind="not_json", place=POISON_AT, sha256="cd"),),
    interruptions=(Interruption(row="W1", at_s=1.0, worker_id="w1", open_calls=frozenset(), finished=0),),
    records=(*PIPELINE, USAGE, POISONED, LETTER),
    requests=(Request(call=CALL, at_s=0.5, ended_s=0.8, status=200, task_id=TASK),),
    calls=(CallRow(call=CALL, state="answered", worker_id="w1"),),
    sink=(SinkLine(key="rev1", task_id=TASK, effect=True, page_exists=True),),
    tasks=(TaskRow(submission_id=SUBMISSION, task_id=TASK, state="published"),),
    samples=(
        Sample(commits={}, ends={(SUBMITTED, 0): 2}),
        Sample(commits={CLASSIFY: Commit(2, "")}, ends=ENDS),
    ),
)
KILLED_IN_CALL = replace(GOOD.interruptions[0], open_calls=frozenset({CALL}))
REPEATED = (
    Request(call=CALL, at_s=0.5, ended_s=1.1, status=None),
    Request(call=AGAIN, at_s=9.0, ended_s=9.5, status=200),
)
REPEATED_ROWS = (
    CallRow(call=CALL, state="unknown", worker_id="w1"),
    CallRow(call=AGAIN, state="answered", worker_id="w2"),
)
USAGE_AGAIN = replace(USAGE, ce_id="rev1/write/2")
REFUSED = (
    Request(call=CALL, at_s=0.5, ended_s=0.5, status=429, task_id=TASK, fault="http_429", retry_after_s=2.0),
    Request(call=AGAIN, at_s=2.6, ended_s=3.0, status=200, task_id=TASK),
)
REFUSED_ROWS = (
    CallRow(call=CALL, state="failed", worker_id="w1"),
    CallRow(call=AGAIN, state="answered", worker_id="w1"),
)
AFTER_REFUSAL = replace(
    GOOD,
    requests=REFUSED,
    calls=REFUSED_ROWS,
    records=(*(r for r in GOOD.records if r != USAGE), USAGE_AGAIN),
)
IN_ORDER = (
    replace(GOOD.submissions[0], order_key="series-0"),
    Submission(submission_id="f" * 20, task_id="chaos-000002", result="ok", order_key="series-0"),
)
LETTER_OF_GOOD = replace(LETTER, origin=PIPELINE[1].place, sha256="ab")
DEAD = replace(
    GOOD,
    records=(
        *(record for record in GOOD.records if record not in (*PIPELINE[2:], USAGE)),
        replace(PIPELINE[4], outcome="dead_lettered"),
        LETTER_OF_GOOD,
    ),
    tasks=(replace(GOOD.tasks[0], state="dead_lettered"),),
    sink=(),
    samples=(),
)


def given_up_after(count: int) -> Artefacts:
    """The task is a dead letter after `count` requests that the provider failed."""
    calls = [CallId("rev1", "write", number) for number in range(1, count + 1)]
    return replace(
        DEAD,
        requests=tuple(
            Request(
                call=call, at_s=float(call.attempt), ended_s=None, status=503, task_id=TASK, fault="http_503"
            )
            for call in calls
        ),
        calls=tuple(CallRow(call=call, state="unknown", worker_id="w1") for call in calls),
    )


def without(*gone: Record) -> tuple[Record, ...]:
    return tuple(record for record in GOOD.records if record not in gone)


def violated(run: Artefacts) -> set[str]:
    return {name for name, found in check(run).items() if found}


FAULTS: dict[str, tuple[Artefacts, str]] = {
    "a lost task": (
        replace(GOOD, records=without(PIPELINE[4]), tasks=(replace(GOOD.tasks[0], state="validated"),)),
        "lost_tasks",
    ),
    "a terminal row that says something else": (
        replace(GOOD, tasks=(replace(GOOD.tasks[0], state="rejected"),)),
        "lost_tasks",
    ),
    "two outcomes": (
        replace(GOOD, records=(*GOOD.records, replace(PIPELINE[4], outcome="rejected"))),
        "two_outcomes",
    ),
    "a good task that was dead-lettered": (
        replace(
            GOOD,
            records=(*without(PIPELINE[4]), replace(PIPELINE[4], outcome="dead_lettered")),
            tasks=(replace(GOOD.tasks[0], state="dead_lettered"),),
        ),
        "wrong_outcomes",
    ),
    "a task that nobody submitted": (
        replace(GOOD, tasks=(*GOOD.tasks, TaskRow(submission_id="f" * 20, task_id="x", state="accepted"))),
        "phantoms",
    ),
    "a refused submission that ended all the same": (
        replace(GOOD, submissions=(replace(GOOD.submissions[0], result="fail"),)),
        "phantoms",
    ),
    "two effects of one key": (replace(GOOD, sink=GOOD.sink * 2), "sink_effects"),
    "a published task without an effect": (replace(GOOD, sink=()), "sink_effects"),
    "a page that is gone": (
        replace(GOOD, sink=(replace(GOOD.sink[0], page_exists=False),)),
        "sink_effects",
    ),
    "a changed poison byte": (
        replace(GOOD, records=(*without(LETTER), replace(LETTER, sha256="ce"))),
        "dead_letters_differ",
    ),
    "poison without a dead letter": (
        replace(GOOD, records=without(LETTER)),
        "dead_letters_differ",
    ),
    "a dead letter of a good record": (
        replace(GOOD, records=(*GOOD.records, replace(LETTER, origin=PIPELINE[1].place))),
        "dead_letters_differ",
    ),
    "a call made again that was in flight at no kill": (
        replace(GOOD, requests=REPEATED, calls=REPEATED_ROWS, records=(*without(USAGE), USAGE_AGAIN)),
        "repeated_calls",
    ),
    "a call made again that the provider had answered": (
        replace(
            AFTER_REFUSAL,
            requests=(replace(REFUSED[0], status=200, fault=None, retry_after_s=None), REFUSED[1]),
        ),
        "repeated_calls",
    ),
    "a call made again before the provider's time": (
        replace(AFTER_REFUSAL, requests=(REFUSED[0], replace(REFUSED[1], at_s=2.0))),
        "retried_too_early",
    ),
    "more requests in a minute than the provider allows": (
        replace(
            GOOD,
            requests=tuple(
                Request(call=CallId(f"rev{n}", "write", 1), at_s=n / 200, ended_s=None, status=200)
                for n in range(REQUESTS_PER_MINUTE + 1)
            ),
        ),
        "rate_exceeded",
    ),
    "a lost answer that the ledger calls free": (
        replace(
            AFTER_REFUSAL,
            requests=(replace(REFUSED[0], status=None, fault="timeout", retry_after_s=None), REFUSED[1]),
        ),
        "ledger_differs",
    ),
    "a task that was given up on too soon": (
        given_up_after(RetryPolicy().attempts_max - 1),
        "wrong_outcomes",
    ),
    "a dead letter of it": (given_up_after(RetryPolicy().attempts_max - 1), "dead_letters_differ"),
    "a dead letter of it with other bytes": (
        replace(
            given_up_after(RetryPolicy().attempts_max),
            records=(*(r for r in DEAD.records if r != LETTER_OF_GOOD), replace(LETTER_OF_GOOD, sha256="ce")),
        ),
        "dead_letters_differ",
    ),
    "a request that the ledger does not know": (
        replace(GOOD, requests=(*GOOD.requests, replace(REPEATED[1], call=CallId("rev2", "write", 1)))),
        "calls_without_intent",
    ),
    "an attempt that was sent twice": (
        replace(GOOD, requests=GOOD.requests * 2, interruptions=(KILLED_IN_CALL,)),
        "calls_without_intent",
    ),
    "an answer that the provider never gave": (
        replace(GOOD, requests=(replace(GOOD.requests[0], status=None),)),
        "ledger_differs",
    ),
    "an intent that is left open": (
        replace(GOOD, calls=(replace(GOOD.calls[0], state="open"),)),
        "ledger_differs",
    ),
    "a paid call without its usage event": (replace(GOOD, records=without(USAGE)), "usage_differs"),
    "a commit before the result was in the topic": (
        replace(GOOD, samples=(Sample(commits={CLASSIFY: Commit(1, "")}, ends={(SUBMITTED, 0): 2}),)),
        "commits_pass_unfinished",
    ),
    "a bitmap that names an unfinished record": (
        replace(
            GOOD,
            samples=(
                Sample(
                    commits={CLASSIFY: Commit(0, commit_metadata.encode(0, [1]))}, ends={(SUBMITTED, 0): 2}
                ),
            ),
        ),
        "commits_pass_unfinished",
    ),
    "a commit past the end of the log": (
        replace(GOOD, samples=(Sample(commits={CLASSIFY: Commit(3, "")}, ends=ENDS),)),
        "commits_pass_unfinished",
    ),
    "a commit that goes back": (
        replace(GOOD, samples=(*GOOD.samples, Sample(commits={CLASSIFY: Commit(1, "")}, ends=ENDS))),
        "commits_go_back",
    ),
    "pages of one order key in another order": (
        replace(
            GOOD,
            submissions=IN_ORDER,
            records=(
                *GOOD.records,
                replace(PIPELINE[0], place=Place(SUBMITTED, 0, 7), ce_id=f"{'f' * 20}.task.submitted.0.0"),
            ),
            sink=(replace(GOOD.sink[0], key="rev2", task_id="chaos-000002"), *GOOD.sink),
        ),
        "order_broken",
    ),
    "a counter above what happened": (
        replace(GOOD, counters={"pressline_tasks_finished_total": 2.0}),
        "counted_too_much",
    ),
    "a header that holds a secret": (
        replace(GOOD, records=(*GOOD.records, replace(LETTER, canary=True))),
        "secrets_seen",
    ),
    "a log that holds a secret": (replace(GOOD, canaries=("worker-0.log:1",)), "secrets_seen"),
    "a run that never came to its end": (replace(GOOD, stuck=("chaos-000001 is generated",)), "liveness"),
    "a worker that ended by itself": (replace(GOOD, self_ended_workers=("worker 0",)), "workers_ended"),
}


def test_a_good_run_violates_nothing() -> None:
    assert violated(GOOD) == set()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str) -> None:
    run, invariant = FAULTS[fault]

    assert invariant in violated(run)


def test_every_invariant_has_a_fault_that_violates_it() -> None:
    assert {invariant for _, invariant in FAULTS.values()} == set(INVARIANTS)


def test_a_call_that_was_in_flight_at_a_kill_may_be_made_again_once() -> None:
    again = replace(
        GOOD,
        requests=REPEATED,
        calls=REPEATED_ROWS,
        records=(*without(USAGE), USAGE_AGAIN),
        interruptions=(KILLED_IN_CALL,),
    )

    assert violated(again) == set()


def test_a_call_that_the_provider_failed_may_be_made_again() -> None:
    assert violated(AFTER_REFUSAL) == set()


def test_another_worker_cannot_know_of_a_retry_after() -> None:
    elsewhere = (REFUSED_ROWS[0], replace(REFUSED_ROWS[1], worker_id="w2"))
    early = (REFUSED[0], replace(REFUSED[1], at_s=0.6))

    assert violated(replace(AFTER_REFUSAL, requests=early, calls=elsewhere)) == set()


def test_a_task_whose_every_attempt_the_provider_failed_may_be_given_up_on() -> None:
    assert violated(given_up_after(RetryPolicy().attempts_max)) == set()


def test_a_task_whose_repair_the_provider_spoiled_too_may_be_given_up_on() -> None:
    repair = CallId("rev1", "write/repair-1", 1)
    spoiled = tuple(
        Request(call=call, at_s=1.0, ended_s=2.0, status=200, task_id=TASK, fault="wrong_schema")
        for call in (CALL, repair)
    )
    told = (USAGE, replace(USAGE, ce_id="rev1/write/repair-1/1"))

    assert (
        violated(
            replace(
                DEAD,
                requests=spoiled,
                calls=tuple(CallRow(call=r.call, state="answered", worker_id="w1") for r in spoiled),
                records=(*DEAD.records, *told),
            )
        )
        == set()
    )


def test_a_repeated_delivery_of_the_same_end_is_no_violation() -> None:
    twice = (replace(PIPELINE[4], place=Place("pressline.task.finished.v1", 0, 1)),)

    assert violated(replace(GOOD, records=(*GOOD.records, *twice))) == set()


def test_an_unknown_submission_may_end_or_not() -> None:
    unknown = (replace(GOOD.submissions[0], result="unknown"),)

    ended = replace(GOOD, submissions=unknown)
    never_arrived = Artefacts(submissions=unknown)

    assert violated(ended) == violated(never_arrived) == set()


def test_an_effect_whose_line_a_kill_cost_counts_as_one() -> None:
    repeat = replace(GOOD.sink[0], effect=False)

    assert violated(replace(GOOD, sink=(repeat, repeat))) == set()


def test_an_answer_close_to_the_deadline_was_read_or_was_not() -> None:
    slow = replace(GOOD.requests[0], fault="slow")
    given_up = replace(
        AFTER_REFUSAL,
        requests=(slow, REFUSED[1]),
        calls=(replace(REFUSED_ROWS[0], state="unknown"), REFUSED_ROWS[1]),
    )

    assert violated(replace(GOOD, requests=(slow,))) == set()
    assert violated(given_up) == set()
    assert violated(replace(given_up, requests=(GOOD.requests[0], REFUSED[1]))) == {
        "repeated_calls",
        "ledger_differs",
    }


def test_canaries_are_found_where_operators_look_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "worker-0.log").write_text("starting\nkey sk-chaos-1 refused\n")
    (tmp_path / "worker-0.metrics").write_text('calls{city="sk-chaos-1"} 1\n')
    (tmp_path / "provider.jsonl").write_text("sk-chaos-1")

    assert list(find(tmp_path, ("sk-chaos-1", "other"))) == ["worker-0.log:2", "worker-0.metrics:1"]


def test_counters_are_summed_over_labels_and_workers(tmp_path: Path) -> None:
    text = '# TYPE pressline_model_calls_total counter\npressline_model_calls_total{model="a"} 2\n'
    (tmp_path / "worker-0.metrics").write_text(text + 'pressline_model_calls_total{model="b"} 1\n')
    (tmp_path / "worker-1.metrics").write_text(text)

    assert read_counters(tmp_path)["pressline_model_calls_total"] == 5


def test_the_path_of_a_step_may_have_slashes() -> None:
    assert parse_call("rev1/round-1/write/2") == CallId("rev1", "round-1/write", 2)


@pytest.mark.parametrize("retry_of", [PIPELINE[0].place, PIPELINE[2].place])
def test_a_commit_may_pass_the_very_record_that_waits_in_a_retry_topic(retry_of: Place) -> None:
    waiting = replace(PIPELINE[0], place=Place("pressline.retry.1m.v1", 0, 0), retry_of=retry_of)
    ends = {(record.place.topic, 0): 1 for record in (LETTER, waiting)} | {(SUBMITTED, 0): 2}
    run = replace(
        GOOD,
        records=(PIPELINE[0], POISONED, LETTER, waiting),
        samples=(Sample(commits={CLASSIFY: Commit(2, "")}, ends=ends),),
    )

    assert ("commits_pass_unfinished" in violated(run)) == (retry_of != PIPELINE[0].place)
