"""What the answer cache did for a task, in words."""

from collections.abc import Mapping
from typing import Any

from schemas.usage import CacheResult
from streams.store.task_calls import TaskCall
from streams.store.tasks import IndexedTask


def answered_text(step: Mapping[str, Any]) -> str:
    """Return where a finished step's answer is from; events of earlier versions do not tell of the cache."""
    if step.get("cache") in {CacheResult.HIT, CacheResult.STALE}:
        return f"from the cache{_stale(step['cache'])}, of"
    return "from the journal, of" if step["replayed"] else "by"


def unpaid_text(call: TaskCall) -> str | None:
    """Return what answered in place of a paid call, or None where one was made."""
    if call.replayed:
        return "replayed, paid before"
    if call.cache not in {CacheResult.HIT, CacheResult.STALE}:
        return None
    return f"from the cache{_stale(call.cache)}, {call.saved_usd:f} USD saved"


def saved_text(task: IndexedTask) -> str:
    """Return what the cache saved the submission, or nothing."""
    return f", {task.cache_hits} from the cache saved {task.saved_usd:f} USD" if task.cache_hits else ""


def _stale(result: str | None) -> str:
    return ", stale" if result == CacheResult.STALE else ""
