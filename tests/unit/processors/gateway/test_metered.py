import pytest

from fakes.model_gateway import FakeModelGateway
from fakes.model_request import a_request
from processors.errors import AbandonedError
from processors.gateway.metered import MeteredGateway
from schemas.usage import UsageRecorded


async def test_every_answer_is_noted() -> None:
    records: list[UsageRecorded] = []
    gateway = MeteredGateway(FakeModelGateway("a", "b"), records, lambda: False, lambda _: None)

    answers = [await gateway.complete(a_request()) for _ in range(2)]

    assert records == [answer.recorded for answer in answers]


async def test_an_abandoned_record_starts_nothing() -> None:
    inner = FakeModelGateway("a")

    with pytest.raises(AbandonedError, match="'write' is not started"):
        await MeteredGateway(inner, [], lambda: True, lambda _: None).complete(a_request())

    assert inner.requests == []
