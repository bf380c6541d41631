from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from builders import NOW
from processors.model import ModelAnswer, ModelRequest
from schemas.usage import Usage, UsageRecorded

COST_USD = Decimal("0.001")
USAGE = Usage(input_fresh=400, output=300)


def an_answer(
    request: ModelRequest,
    text: str,
    *,
    finish_reason: Literal["stop", "length"] = "stop",
    replayed: bool = False,
    simulated: bool = False,
) -> ModelAnswer:
    """The answer to that request, at COST_USD and USAGE."""
    task = request.task
    return ModelAnswer(
        text=text,
        finish_reason=finish_reason,
        recorded=UsageRecorded(
            call_id=f"{request.revision}/{request.step}/1",
            task_id=task.task_id,
            submission_id=task.submission_id,
            batch_id=task.batch_id,
            tenant=task.tenant,
            team=task.team,
            feature=task.feature,
            recipe=request.recipe,
            step=request.step,
            provider="fake",
            model=request.model,
            usage=USAGE,
            cost_usd=COST_USD,
            simulated=simulated,
            latency_s=1.5,
            replayed=replayed,
            recorded_at=NOW,
        ),
    )


Reply = str | Exception | Callable[[ModelRequest], ModelAnswer]


class FakeModelGateway:
    """ModelGateway that gives its replies in order and keeps the requests.

    A reply is the answer's text, an exception to raise, or a function from the request to the answer.
    """

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.requests: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        reply = self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return an_answer(request, reply) if isinstance(reply, str) else reply(request)
