"""Every task ends once, has one effect, and nothing else does; poison keeps its bytes."""

from collections import Counter, defaultdict

from schemas.base import Outcome

from .artefacts import Artefacts, Place, Record
from .identity import parse_event_id
from .sampler import FINISHED_TOPIC

TERMINAL = frozenset(map(str, Outcome))


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
    """Poison tasks end as dead letters, the others are published."""
    poison = {s.submission_id: s.poison for s in run.submissions}
    return tuple(
        f"{name}: {sorted(outcomes)}"
        for name, outcomes in _outcomes(run).items()
        if outcomes != {str(Outcome.DEAD_LETTERED if poison.get(name) else Outcome.PUBLISHED)}
    )


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


def effects_without_line(run: Artefacts) -> int:
    """Return how many pages a kill cost the line of their effect."""
    return len({line.key for line in run.sink} - {line.key for line in run.sink if line.effect})


def dead_letters_differ(run: Artefacts) -> tuple[str, ...]:
    """Every poison value is in a dead-letter topic, byte for byte, under its origin; nothing else is."""
    letters: dict[Place, list[Record]] = defaultdict(list)
    for record in run.records:
        if record.origin is not None:
            letters[record.origin].append(record)
    found: list[str] = []
    for poison in run.poison:
        copies = letters.pop(poison.place, [])
        if not copies:
            found.append(f"{poison.kind} at {poison.place}: no dead letter")
        found += [
            f"{poison.kind} at {poison.place}: another value or partition at {copy.place}"
            for copy in copies
            if copy.sha256 != poison.sha256 or copy.place.partition != poison.place.partition
        ]
    return (*found, *(f"{origin}: dead-lettered, though no poison" for origin in letters))


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
