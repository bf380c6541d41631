"""Offset safety: what a commit calls finished had its result in the topics before the commit was read."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from streams.engine import commit_metadata

from .artefacts import Artefacts, Commit, GroupPartition, Place, Record
from .identity import STAGE_OF_GROUP, leads_to, parse_event_id

Results = Mapping[tuple[str, str] | Place, list[Place]]


def commits_pass_unfinished(run: Artefacts) -> tuple[str, ...]:
    """Committed offsets and bitmaps never name a record whose result was not acknowledged."""
    results = _results(run)
    records = {record.place: record for record in run.records}
    found: list[str] = []
    claimed: dict[GroupPartition, _Claims] = defaultdict(_Claims)
    ends: dict[tuple[str, int], int] = {}
    for number, sample in enumerate(run.samples):
        ends |= sample.ends
        for at, commit in sample.commits.items():
            for offset in claimed[at].new(commit):
                place = Place(at.topic, at.partition, offset)
                if not _has_result(at.group, records.get(place), results, ends):
                    found.append(f"{at.group} calls {place} finished in sample {number}, without a result")
    return tuple(found)


def commits_go_back(run: Artefacts) -> tuple[str, ...]:
    """A committed offset never becomes smaller."""
    last: dict[GroupPartition, int] = {}
    found: list[str] = []
    for number, sample in enumerate(run.samples):
        for at, commit in sample.commits.items():
            if commit.offset < last.get(at, 0):
                found.append(f"{at}: {last[at]} became {commit.offset} in sample {number}")
            last[at] = commit.offset
    return tuple(found)


class _Claims:
    """Which offsets of one partition were called finished so far."""

    def __init__(self) -> None:
        self._below = 0
        self._above: set[int] = set()

    def new(self, commit: Commit) -> Iterator[int]:
        """Yield the offsets that this commit is the first to call finished."""
        for offset in range(self._below, commit.offset):
            if offset not in self._above:
                yield offset
        self._below = max(self._below, commit.offset)
        for offset in sorted(commit_metadata.decode(commit.offset, commit.metadata)):
            if offset >= self._below and offset not in self._above:
                self._above.add(offset)
                yield offset


def _results(run: Artefacts) -> Results:
    """Where results stand: events by the stage that made them and their id, the rest by where it was."""
    results: dict[tuple[str, str] | Place, list[Place]] = defaultdict(list)
    for record in run.records:
        key = record.origin or (record.source.rpartition(":")[2], record.ce_id)
        results[key].append(record.place)
        if record.retry_of is not None:
            results[record.retry_of].append(record.place)
    return results


def _has_result(
    group: str, record: Record | None, results: Results, ends: Mapping[tuple[str, int], int]
) -> bool:
    if record is None:
        return False
    stage, taken = STAGE_OF_GROUP[group], parse_event_id(record.ce_id)
    keys: list[tuple[str, str] | Place] = [record.place]
    if taken is not None:
        keys += [(str(stage), made) for made in leads_to(stage, taken)]
    places = (place for key in keys for place in results.get(key, ()))
    return any(ends.get((place.topic, place.partition), 0) > place.offset for place in places)
