"""A journal in the memory of the process: what is left is the gateway without its store."""

from processors.gateway.journal import CallIntent, CallKey, JournaledAnswer, Opened
from processors.gateway.wanted import Unwanted


class MemoryJournal:
    """Remembers answers. Budgets are not looked at, as PostgreSQL is who does that."""

    def __init__(self) -> None:
        self._answers: dict[CallKey, JournaledAnswer] = {}

    async def find(self, key: CallKey, _unwanted: Unwanted) -> JournaledAnswer | None:
        """Return the answer of that call if there is one."""
        return self._answers.get(key)

    async def open(self, _intent: CallIntent) -> Opened:
        """Open the first attempt: nothing fails here."""
        return Opened(1)

    async def answered(self, key: CallKey, answer: JournaledAnswer) -> None:
        """Remember the answer."""
        self._answers[key] = answer

    async def failed(self, key: CallKey, attempt: int, error: str, *, billed: bool) -> None:
        """Nothing fails here."""
        raise AssertionError(f"attempt {attempt} of {key} failed, billed {billed}: {error}")

    async def disown(self, key: CallKey) -> None:
        """Nothing is cancelled here."""
        raise AssertionError(f"{key} was disowned")
