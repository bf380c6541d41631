"""The gateway as one record sees it: what it bought is noted, and an abandoned record buys nothing more."""

from collections.abc import Callable
from dataclasses import replace

from processors.errors import AbandonedError
from processors.model import CallState, ModelAnswer, ModelRequest
from processors.ports import ModelGateway
from schemas.usage import UsageRecorded


class MeteredGateway:
    """Messaging Gateway of one record.

    Args:
        inner: the gateway that all records share.
        records: each answer's usage is appended to it, in the order of answers.
        abandoned: whether nothing more is to be begun for the record here.
        tell: told what the call waits for.
    """

    def __init__(
        self,
        inner: ModelGateway,
        records: list[UsageRecorded],
        abandoned: Callable[[], bool],
        tell: Callable[[CallState | None], None],
    ) -> None:
        self._inner = inner
        self._records = records
        self._abandoned = abandoned
        self._tell = tell

    async def complete(self, request: ModelRequest) -> ModelAnswer:
        """Return the model's answer, as the gateway does.

        Raises:
            AbandonedError: the record is another worker's, now or soon.
        """
        if self._abandoned():
            raise AbandonedError(
                f"step {request.step!r} is not started: this worker has lost its record, or stops"
            )
        answer = await self._inner.complete(replace(request, abandoned=self._abandoned, tell=self._tell))
        self._records.append(answer.recorded)
        return answer
