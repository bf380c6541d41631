"""Every task ends once, has one effect, and nothing else does; poison keeps its bytes."""

from collections import Counter, defaultdict

from processors.disposition import RetryPolicy
from schemas.base import Outcome, Stage
from streams.pipeline import PIPELINE

from .artefacts import Artefacts, Place, Poison, Record
from .calls import FAILED
from .identity import parse_event_id
from .sampler import FINISHED_TOPIC

SPOILED = frozenset({"wrong_schema", "truncated_content"})
"""Answers that are paid for, and asked to be repaired."""
REPAIR = "/repair-"
SUBMITTED = frozenset(PIPELINE[Stage.CLASSIFY].topics)


def lost_tasks(run: Artefacts) -> tuple[str, ...]:
    """Every acknowledged submission has a terminal event and a terminal row that says the same."""
    events = _outcomes(run)
    rows = {row.submission_id: row.state for row in run.tasks}
    found: list[str] = []
    for submission in run.submissions:
        name = submission.submission_id
        if submission.result == "ok" and name not in events:
            found.append(f"{submission.task_id} ({name}): no terminal event")
        elif name in events and rows.get(name) not in events[name]:
            found.append(f"{submission.task_id} ({name}): {events[name]}, but the row says {rows.get(name)}")
    return tuple(found)


def two_outcomes(run: Artefacts) -> tuple[str, ...]:
    """No submission ends in two ways; the same terminal event may be delivered twice."""
    return tuple(
        f"{name}: {sorted(outcomes)}" for name, outcomes in _outcomes(run).items() if len(outcomes) > 1
    )


def wrong_outcomes(run: Artefacts) -> tuple[str, ...]:
    """Poison ends as dead letters, so may tasks that the provider failed too often; others are published."""
    submissions = {s.submission_id: s for s in run.submissions}
    failed = failed_by_provider(run)
    found: list[str] = []
    for name, outcomes in _outcomes(run).items():
        submission = submissions.get(name)
        dead = submission is not None and (submission.poison or submission.task_id in failed)
        alive = submission is None or not submission.poison
        allowed = {str(o) for o, may in ((Outcome.DEAD_LETTERED, dead), (Outcome.PUBLISHED, alive)) if may}
        if not outcomes <= allowed:
            found.append(f"{name}: {sorted(outcomes)}, expected one of {sorted(allowed)}")
    return tuple(found)


def failed_by_provider(run: Artefacts) -> frozenset[str]:
    """Return the tasks that the provider gave cause to give up: every attempt failed, or a repair, too."""
    failed = Counter(request.task_id for request in run.requests if request.fault in FAILED)
    exhausted = {task_id for task_id, count in failed.items() if count >= RetryPolicy().attempts_max}
    unrepaired = {
        request.task_id
        for request in run.requests
        if request.fault in SPOILED and REPAIR in request.call.step
    }
    return frozenset(exhausted | unrepaired)


def phantoms(run: Artefacts) -> tuple[str, ...]:
    """Nothing ends, is indexed or published that nobody submitted."""
    names = {s.submission_id for s in run.submissions if s.result != "fail"}
    tasks = {s.task_id for s in run.submissions if s.result != "fail" and not s.poison}
    return (
        *(f"{name}: ended, never submitted" for name in _outcomes(run) if name not in names),
        *(f"{row.task_id}: indexed, never submitted" for row in run.tasks if row.submission_id not in names),
        *(f"{line.task_id}: published, never submitted" for line in run.sink if line.task_id not in tasks),
    )


def sink_effects(run: Artefacts) -> tuple[str, ...]:
    """One effect per page; one whose line a kill cost may have repeats only, if the page is there."""
    effects: Counter[str] = Counter()
    present: dict[str, bool] = {}
    published = {line.task_id for line in run.sink}
    for line in run.sink:
        effects[line.key] += line.effect
        present[line.key] = line.page_exists
    outcomes = _outcomes(run)
    return (
        *(f"{key}: {count} effects" for key, count in effects.items() if count > 1),
        *(f"{key}: in the log, but no page" for key, there in present.items() if not there),
        *(
            f"{s.task_id}: published, but not in the sink's log"
            for s in run.submissions
            if Outcome.PUBLISHED in outcomes.get(s.submission_id, ()) and s.task_id not in published
        ),
    )


def order_broken(run: Artefacts) -> tuple[str, ...]:
    """Pages of one order key have their effects in the order in which the tasks were accepted."""
    series = {s.submission_id: s for s in run.submissions if s.order_key is not None}
    accepted: dict[str, dict[str, int]] = defaultdict(dict)
    for record in run.records:
        submission = series.get(_submission(record) or "") if record.place.topic in SUBMITTED else None
        if submission is not None and submission.order_key is not None:
            # A retransmission changes nothing: what counts is the first.
            accepted[submission.order_key].setdefault(submission.task_id, record.place.offset)
    effects: dict[str, int] = {}
    for number, line in enumerate(run.sink):
        effects.setdefault(line.task_id, number)
    found: list[str] = []
    for key, offsets in accepted.items():
        seen = sorted((task_id for task_id in offsets if task_id in effects), key=effects.__getitem__)
        if seen != sorted(seen, key=offsets.__getitem__):
            found.append(f"{key}: published as {seen}")
    return tuple(found)


def effects_without_line(run: Artefacts) -> int:
    """Return how many pages a kill cost the line of their effect."""
    return len({line.key for line in run.sink} - {line.key for line in run.sink if line.effect})


def dead_letters_differ(run: Artefacts) -> tuple[str, ...]:
    """Every dead letter is its record byte for byte; poison has one, and nothing else that could go on."""
    letters: dict[Place, list[Record]] = defaultdict(list)
    for record in run.records:
        if record.origin is not None:
            letters[record.origin].append(record)
    poison = {each.place: each for each in run.poison}
    originals = {record.place: record for record in run.records}
    may_die = _given_up(run)
    return (
        *(f"{p.kind} at {p.place}: no dead letter" for p in run.poison if p.place not in letters),
        *(
            f"{origin}: another value or partition at {copy.place}"
            for origin, copies in letters.items()
            for copy in copies
            if not _same(copy, poison.get(origin) or originals.get(origin))
        ),
        *(
            f"{origin}: dead-lettered, though no poison"
            for origin in letters
            if origin not in poison and _submission(originals.get(origin)) not in may_die
        ),
    )


def given_up(run: Artefacts) -> int:
    """Return how many good tasks ended as dead letters, for the provider's sake."""
    poison = {s.submission_id for s in run.submissions if s.poison}
    ended = _outcomes(run).items()
    return sum(Outcome.DEAD_LETTERED in found and name not in poison for name, found in ended)


def _same(copy: Record, original: Poison | Record | None) -> bool:
    return (
        original is not None
        and copy.sha256 == original.sha256
        and copy.place.partition == original.place.partition
    )


def _given_up(run: Artefacts) -> frozenset[str]:
    """Submissions that the provider failed so often that they may be dead letters."""
    failed = failed_by_provider(run)
    return frozenset(s.submission_id for s in run.submissions if s.task_id in failed)


def _submission(record: Record | None) -> str | None:
    event = parse_event_id(record.ce_id) if record else None
    return event.submission_id if event else None


def repeated_deliveries(run: Artefacts) -> int:
    """Return how many terminal events and dead letters are in the topics beyond the first of each."""
    ended = [record.ce_id for record in run.records if record.place.topic == FINISHED_TOPIC]
    letters = [record.origin for record in run.records if record.origin is not None]
    return len(ended) - len(set(ended)) + len(letters) - len(set(letters))


def _outcomes(run: Artefacts) -> dict[str, set[str]]:
    outcomes: dict[str, set[str]] = defaultdict(set)
    for record in run.records:
        if record.place.topic == FINISHED_TOPIC and record.outcome is not None:
            event = parse_event_id(record.ce_id)
            outcomes[event.submission_id if event else f"id {record.ce_id!r}"].add(record.outcome)
    return outcomes
