"""A stream that the simulated provider cuts off, over real HTTP, in each format: its spend is kept."""

from pathlib import Path

import pytest

from builders import NOW
from fakes.model_request import a_request
from fakes.simulated_gateway import simulated
from processors.errors import ProviderMalformedError, ProviderUnavailableError
from processors.gateway.counts import of_text
from schemas.catalogue import Format

STREAMED = (Format.OPENAI_CHAT, Format.OPENAI_RESPONSES, Format.ANTHROPIC_MESSAGES, Format.GEMINI)
BROKEN = (ProviderUnavailableError, ProviderMalformedError)


@pytest.mark.parametrize("spoken", STREAMED)
async def test_a_cut_stream_is_booked_at_no_less_than_its_provider_bills(
    spoken: Format, tmp_path: Path
) -> None:
    request = a_request(schema=None)
    async with simulated(tmp_path, spoken, stream=True, truncated_body=1.0) as rig:
        with pytest.raises(BROKEN) as raised:
            await rig.gateway.complete(request)

        (line,) = rig.requests()
        (row,) = rig.attempts()
        billed = rig.prices.price(request.model, of_text(line["tokens_in"], line["tokens_out"]), NOW)

    assert raised.value.billed
    assert row.state == "unknown"
    assert row.cost_usd is not None
    assert row.cost_usd >= billed > 0
    assert "output tokens had been used" in (row.error or "")


@pytest.mark.parametrize("spoken", STREAMED)
async def test_the_same_stream_uncut_costs_what_its_provider_bills(spoken: Format, tmp_path: Path) -> None:
    request = a_request(schema=None)
    async with simulated(tmp_path, spoken, stream=True) as rig:
        recorded = (await rig.gateway.complete(request)).recorded

        (line,) = rig.requests()
        billed = rig.prices.price(request.model, of_text(line["tokens_in"], line["tokens_out"]), NOW)

    assert (recorded.cost_usd, recorded.usage_estimated) == (billed, False)
    assert recorded.first_token_s is not None
