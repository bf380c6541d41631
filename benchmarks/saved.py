"""Results of one group of cases, as a JSON file that the tables, bars and plots are made from."""

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import orjson

from benchmarks.plan import Case
from benchmarks.run_case import Run

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median and range of one figure over the runs of a case."""

    median: float
    least: float
    most: float


class Results:
    """The runs of one group.

    Args:
        runs: in the order of the plan, rounds one after the other.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        self.runs = tuple(runs)

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases, each once."""
        return tuple(dict.fromkeys(run.case for run in self.runs))

    def of(self, case: Case) -> Sequence[Run]:
        """Return the runs of a case."""
        return [run for run in self.runs if run.case == case]

    def find(self, peer: str, name: str) -> Case | None:
        """Return the case `name` of a peer."""
        return next((case for case in self.cases if case.peer == peer and case.name == name), None)

    def values(self, case: Case | None, figure: str) -> list[float]:
        """Return a figure of each run that has it."""
        return [run.figures[figure] for run in self.runs if run.case == case and figure in run.figures]

    def spread(self, case: Case | None, figure: str) -> Spread | None:
        """Return median and range of a figure, or None without any run that has it."""
        return spread(self.values(case, figure))


def spread(values: Sequence[float]) -> Spread | None:
    """Return median and range, or None of nothing."""
    if not values:
        return None
    return Spread(median=median(values), least=min(values), most=max(values))


def save(group: str, runs: Sequence[Run], folder: Path) -> None:
    """Write the runs of a group, and what they ran on."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "group": group,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "runs": [asdict(run) for run in runs],
    }
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    (folder / f"{group}.json").write_bytes(orjson.dumps(document, option=options))


def load(folder: Path) -> Mapping[str, Results]:
    """Return the saved results of each group."""
    return {path.stem: _parse(path) for path in sorted(folder.glob("*.json"))}


def _parse(path: Path) -> Results:
    runs = orjson.loads(path.read_bytes())["runs"]
    return Results(Run(**{**run, "case": Case(**run["case"])}) for run in runs)
