"""Hedged requests: a slow question is asked a second time, and the first answer counts.

Source: J. Dean and L. A. Barroso, The Tail at Scale, https://doi.org/10.1145/2408776.2408794
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Literal

from processors.errors import PROVIDER_FAULTS
from processors.model import ModelAnswer

Asked = Coroutine[Any, Any, ModelAnswer]
HEDGE = "/hedge-1"


def hedge_step(step: str) -> str:
    """Return the path that a step's hedge is journaled under: a call of its own, with its own attempts."""
    return f"{step}{HEDGE}"


def is_hedge(step: str) -> bool:
    """Return whether that is the path of a hedge."""
    return step.endswith(HEDGE)


async def first_answer(question: Asked, hedge: Callable[[], Asked], after_s: float) -> ModelAnswer:
    """Return the question's answer, or its hedge's when that comes first. Who loses is cancelled.

    When the loser's answer comes at the very end too, the question's counts: a later replay finds both in the
    journal, and must choose the same.

    Args:
        question: the call.
        hedge: makes the second call.
        after_s: so many seconds the question has for itself.

    Raises:
        ProcessingError: what the question ended with, when its hedge had no answer either.
    """
    first = asyncio.ensure_future(question)
    second: asyncio.Future[ModelAnswer] | None = None
    try:
        await asyncio.wait({first}, timeout=after_s)
        if not first.done():
            second = asyncio.ensure_future(hedge())
            await _one_counts(first, second)
    finally:
        # Bounded: a cancelled call closes its intent within some seconds, or leaves that for later.
        await _end(first)
        if second is not None:
            await _end(second)
    return first.result() if second is None else _chosen(first, second)


async def _one_counts(first: asyncio.Future[ModelAnswer], second: asyncio.Future[ModelAnswer]) -> None:
    """Wait for an answer, or for a failure of the question that its hedge cannot mend."""
    pending = {first, second}
    while pending:  # two passes at most
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        if any(each.exception() is None for each in done):
            return
        if first in done and not isinstance(first.exception(), PROVIDER_FAULTS):
            return


async def _end(call: asyncio.Future[ModelAnswer]) -> None:
    call.cancel()
    await asyncio.wait({call})


def _chosen(first: asyncio.Future[ModelAnswer], second: asyncio.Future[ModelAnswer]) -> ModelAnswer:
    if not first.cancelled() and first.exception() is None:
        return _marked(first.result(), "lost")
    if not second.cancelled() and second.exception() is None:
        return _marked(second.result(), "won")
    return first.result()


def _marked(answer: ModelAnswer, hedge: Literal["won", "lost"]) -> ModelAnswer:
    return replace(answer, recorded=answer.recorded.model_copy(update={"hedge": hedge}))
