"""Embeddings by the simulated provider, over real HTTP, in both formats that have them."""

import math
from itertools import starmap
from operator import mul
from pathlib import Path

import pytest

from builders import RECIPE_REF, a_task
from fakes.gateway_rig import EMBEDDING_MODEL
from fakes.simulated_gateway import simulated
from processors.errors import ProviderMalformedError, ProviderRejectedError, ProviderUnavailableError
from processors.gateway.embedder import TEXTS_MAX, Embedded, Embedder, EmbeddingRequest
from processors.gateway.gateway import Gateway
from processors.gateway.vectors import Vector
from schemas.catalogue import EMBEDDING_FORMATS, Format

SPOKEN = sorted(EMBEDDING_FORMATS)
TEXTS = (
    "The old town of Rome has many churches.",
    "Rome has an old town with many churches.",
    "A flight to Tokyo takes twelve hours.",
)


async def embed(gateway: Gateway, *texts: str, step: str = "write") -> Embedded:
    request = EmbeddingRequest(
        task=a_task(),
        recipe=RECIPE_REF,
        revision="r" * 20,
        step=step,
        model=EMBEDDING_MODEL,
        texts=texts or TEXTS,
    )
    return await Embedder(gateway).embed(request)


def cosine(one: Vector, other: Vector) -> float:
    return math.fsum(starmap(mul, zip(one, other, strict=True)))


@pytest.mark.parametrize("spoken", SPOKEN)
async def test_near_texts_have_near_vectors_of_length_one(spoken: Format, tmp_path: Path) -> None:
    async with simulated(tmp_path, spoken) as rig:
        embedded = await embed(rig.gateway)
        (line,) = rig.requests()

    rome, also_rome, tokyo = embedded.vectors
    assert [cosine(each, each) for each in embedded.vectors] == pytest.approx([1, 1, 1], abs=0.01)
    assert cosine(rome, also_rome) > 0.6
    assert cosine(rome, tokyo) < 0.3
    assert (embedded.recorded.usage.input, embedded.recorded.usage.output) == (line["tokens_in"], 0)
    assert not embedded.recorded.usage_estimated
    assert embedded.recorded.cost_usd > 0


@pytest.mark.parametrize("spoken", SPOKEN)
async def test_another_worker_replays_the_vectors_without_a_request(spoken: Format, tmp_path: Path) -> None:
    async with simulated(tmp_path, spoken) as rig:
        first = await embed(rig.gateway)
        beside = rig.beside("worker-2")
        second = await embed(beside.gateway)
        await beside.aclose()
        requests = rig.requests()

    assert first == second
    assert [line["call"] for line in requests] == [first.recorded.call_id]


async def test_the_same_text_has_the_same_vector_in_every_format(tmp_path: Path) -> None:
    found = []
    for number, spoken in enumerate(SPOKEN):
        (tmp_path / str(number)).mkdir()
        async with simulated(tmp_path / str(number), spoken) as rig:
            found.append((await embed(rig.gateway)).vectors)

    assert len(set(found)) == 1


@pytest.mark.parametrize("spoken", SPOKEN)
async def test_as_many_texts_as_are_taken_are_answered(spoken: Format, tmp_path: Path) -> None:
    async with simulated(tmp_path, spoken) as rig:
        embedded = await embed(rig.gateway, *(f"text {number}" for number in range(TEXTS_MAX)))
        (row,) = rig.attempts()

    assert len(set(embedded.vectors)) == TEXTS_MAX
    assert row.answer is not None
    assert len(row.answer.text) < 300_000


@pytest.mark.parametrize("spoken", SPOKEN)
async def test_faults_are_booked_as_those_of_any_call(spoken: Format, tmp_path: Path) -> None:
    async with simulated(tmp_path, spoken, truncated_body=1.0) as rig:
        with pytest.raises((ProviderMalformedError, ProviderUnavailableError)):
            await embed(rig.gateway)
        (row,) = rig.attempts()

    assert (row.state, row.cost_usd) == ("unknown", row.intent.cost_max_usd)


@pytest.mark.parametrize("spoken", SPOKEN)
async def test_a_missing_usage_is_estimated(spoken: Format, tmp_path: Path) -> None:
    async with simulated(tmp_path, spoken, missing_usage=1.0) as rig:
        recorded = (await embed(rig.gateway)).recorded

    assert recorded.usage_estimated
    assert recorded.usage.input > 0


@pytest.mark.parametrize("spoken", SPOKEN)
async def test_an_empty_text_is_rejected(spoken: Format, tmp_path: Path) -> None:
    async with simulated(tmp_path, spoken) as rig:
        with pytest.raises(ProviderRejectedError):
            await embed(rig.gateway, "text", "")
