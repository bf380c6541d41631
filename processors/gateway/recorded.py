"""A journaled answer as the stage that asked for it hears of it."""

from processors.gateway.journal import JournaledAnswer
from processors.gateway.kept import kept_words
from processors.model import ModelAnswer, ModelRequest
from schemas.usage import UsageRecorded


def call_id(request: ModelRequest, attempt: int) -> str:
    """Return the id of one attempt of a call."""
    return f"{request.revision}/{request.step}/{attempt}"


def replay(request: ModelRequest, found: JournaledAnswer) -> ModelAnswer:
    """Return an answer that was bought before.

    The same submission tells of the same call again; another one has paid nothing.
    """
    return answer(request, found, replayed=found.submission_id != request.task.submission_id)


def answer(
    request: ModelRequest, bought: JournaledAnswer, *, replayed: bool, first_token_s: float | None = None
) -> ModelAnswer:
    """Return what the stage hears of a journaled answer.

    Args:
        request: who asks now.
        bought: the answer.
        replayed: whether another submission paid for it.
        first_token_s: seconds from request to the first word of a stream, or None.
    """
    task = request.task
    recorded = UsageRecorded(
        call_id=call_id(request, bought.attempt),
        task_id=task.task_id,
        submission_id=bought.submission_id,
        # The batch of the submission that paid; of another submission it is not known here.
        batch_id=None if replayed else task.batch_id,
        tenant=task.tenant,
        team=task.team,
        feature=task.feature,
        recipe=request.recipe,
        step=request.step,
        provider=bought.provider,
        model=bought.model,
        usage=bought.usage,
        usage_estimated=bought.usage_estimated,
        cost_usd=bought.cost_usd,
        simulated=bought.simulated,
        latency_s=bought.latency_s,
        first_token_s=first_token_s,
        replayed=replayed,
        recorded_at=bought.answered_at,
    )
    text, tool_calls = kept_words(request, bought.text)
    return ModelAnswer(
        text=text, tool_calls=tool_calls, finish_reason=bought.finish_reason, recorded=recorded
    )
