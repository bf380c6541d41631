"""What the health page says: the truth about each stage, and whether the worker is fit."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from streams.engine.state import ConsumerHealth

POLL_AGE_S_MAX = 60.0
"""The engine polls several times a second unless it is full; a minute without is a stall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The worker's state.

    Attributes:
        fit: whether everything works; the page answers 503 when it does not.
        problems: what does not, in words.
        stages: each stage consumer's state.
    """

    fit: bool
    problems: tuple[str, ...]
    stages: Mapping[str, Mapping[str, object]]


def judge(stages: Mapping[str, ConsumerHealth], expected: Collection[str]) -> Health:
    """Return the health of a worker.

    Args:
        stages: state of each stage consumer that has started.
        expected: the stages that the worker is to run.
    """
    problems = [f"{stage}: starting" for stage in expected if stage not in stages]
    for stage, health in stages.items():
        if not health.joined:
            problems.append(f"{stage}: has not joined its group yet")
        if health.last_poll_age_s > POLL_AGE_S_MAX and not health.full:
            problems.append(f"{stage}: last poll {health.last_poll_age_s:.0f} s ago, expected under a minute")
        if health.commit_error is not None:
            problems.append(f"{stage}: commits fail: {health.commit_error}")
    return Health(
        fit=not problems,
        problems=tuple(problems),
        stages={stage: asdict(health) for stage, health in stages.items()},
    )
