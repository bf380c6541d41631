"""How far a run is."""

from collections import Counter
from dataclasses import dataclass

from .fault_matrix import COUNTED


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Counts that grow as long as anything moves.

    Attributes:
        submitted: tasks and poison that the load has sent.
        finished: records in the finished topic, repeats among them.
        committed: sum of all committed offsets.
        survived: faults that are healed, by row.
    """

    submitted: int
    finished: int
    committed: int
    survived: Counter[str]

    def text(self, tasks: int, took_s: float) -> str:
        """Return one line.

        Args:
            tasks: how many there are in all.
            took_s: since the phase began, in seconds.
        """
        kills = ", ".join(f"{self.survived[fault.row]} {fault.name}" for fault in COUNTED)
        others = self.survived.total() - sum(self.survived[fault.row] for fault in COUNTED)
        return (
            f"{took_s:.0f} s, {self.submitted} submitted, {self.finished}/{tasks} finished, "
            f"{self.committed} committed, survived {kills}, {others} other faults"
        )
