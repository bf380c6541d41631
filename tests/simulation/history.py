"""What happened: every event goes into a hash, every violation under the name of its invariant."""

import hashlib
from collections import Counter, defaultdict

from .loop import START_S, SimulationLoop


class History:
    """Events of one seed.

    Args:
        loop: whose time it is.
        keep: whether lines are kept, to be shown.
    """

    def __init__(self, loop: SimulationLoop, *, keep: bool = False) -> None:
        self.lines: list[str] | None = [] if keep else None
        self.counts: Counter[str] = Counter()
        self.violations: dict[str, list[str]] = defaultdict(list)
        self.closed = False
        self._loop = loop
        self._hash = hashlib.sha256()

    @property
    def now_s(self) -> float:
        """Seconds since the start."""
        return self._loop.now_s - START_S

    @property
    def trace(self) -> str:
        """Hash of all events in their order."""
        return self._hash.hexdigest()[:16]

    def note(self, kind: str, *facts: object) -> None:
        if self.closed:
            return
        self.counts[kind] += 1
        line = f"{self.now_s:10.4f} {kind} {' '.join(map(str, facts))}"
        self._hash.update(line.encode())
        if self.lines is not None:
            self.lines.append(line)

    def violate(self, invariant: str, text: str) -> None:
        if self.closed:
            return
        found = f"at {self.now_s:.3f} s: {text}"
        self.violations[invariant].append(found)
        if self.lines is not None:
            self.lines.append(f"{self.now_s:10.4f} VIOLATION {invariant}: {text}")
