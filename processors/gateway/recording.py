"""What a journaled answer is to who asked for it, and to the usage topic."""

from processors.gateway.hedging import is_hedge
from processors.gateway.journal import JournaledAnswer
from processors.gateway.kept import kept_words
from processors.model import ModelAnswer, ModelRequest
from schemas.usage import UsageRecorded


def call_id(request: ModelRequest, attempt: int) -> str:
    """Return the identity of an attempt, as the provider's log and the usage topic name it."""
    return f"{request.revision}/{request.step}/{attempt}"


def replay(request: ModelRequest, found: JournaledAnswer) -> ModelAnswer:
    """Return what the journal has as the answer, unpaid unless this very submission has paid for it."""
    # The same submission tells of the same call again; another one has paid nothing.
    return answer(request, found, replayed=found.submission_id != request.task.submission_id)


def answer(request: ModelRequest, bought: JournaledAnswer, *, replayed: bool) -> ModelAnswer:
    """Return the answer with the record of its call.

    Args:
        request: who asked.
        bought: the answer, durable.
        replayed: whether another submission has paid.
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
        degraded_by=bought.degraded_by,
        fallback_from=bought.instead_of.model if bought.instead_of else None,
        fallback_reason=bought.instead_of.reason if bought.instead_of else None,
        hedge="won" if is_hedge(request.step) else None,
        trimmed=bought.trimmed,
        latency_s=bought.latency_s,
        first_token_s=bought.first_token_s,
        cache=bought.cache,
        saved_usd=bought.saved_usd,
        replayed=replayed,
        recorded_at=bought.answered_at,
    )
    text, tool_calls = kept_words(request, bought.text, bought.model)
    return ModelAnswer(
        text=text,
        tool_calls=tool_calls,
        finish_reason=bought.finish_reason,
        recorded=recorded,
        response_model=bought.response_model,
    )
