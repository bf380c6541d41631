"""Telemetry truth: what workers count is in the topics."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from .artefacts import Artefacts
from .calls import USAGE_TOPIC
from .sampler import FINISHED_TOPIC

FINISHED = "pressline_tasks_finished_total"
CALLS = "pressline_model_calls_total"
DEAD = "pressline_dead_letters_total"


def read_counters(folder: Path) -> dict[str, float]:
    """Return the counters of every `*.metrics` file of a folder, summed over labels and workers."""
    counted: defaultdict[str, float] = defaultdict(float)
    for path in folder.glob("*.metrics"):
        for family in text_string_to_metric_families(path.read_text()):
            for sample in family.samples:
                counted[sample.name] += sample.value
    return {name: counted[name] for name in (FINISHED, CALLS, DEAD)}


def counted_too_much(run: Artefacts) -> tuple[str, ...]:
    """The workers of the end count no more than the topics hold; those that were killed took theirs along."""
    held = _held(run)
    return tuple(
        f"{name}: {count:.0f} counted, {held[name]} in the topics"
        for name, count in run.counters.items()
        if count > held[name]
    )


def _held(run: Artefacts) -> Mapping[str, int]:
    topics = Counter(record.place.topic for record in run.records)
    return {
        FINISHED: topics[FINISHED_TOPIC],
        CALLS: topics[USAGE_TOPIC],
        DEAD: sum(record.origin is not None for record in run.records),
    }
