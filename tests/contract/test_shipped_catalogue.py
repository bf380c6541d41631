"""The shipped catalogue says rightly what its models take: the simulated provider refuses the rest."""

from pathlib import Path

import pytest

from fakes.model_request import a_request
from fakes.simulated_gateway import AT_ONCE, SimulatedGateway
from processors.gateway.catalogue import default
from schemas.catalogue import ModelKind
from streams.embedded.provider.config import load_config
from streams.embedded.provider.server import ProviderServer

CHAT_MODELS = [model.name for model in default().rules.models if model.kind is ModelKind.CHAT]


@pytest.mark.parametrize("model", CHAT_MODELS)
async def test_a_step_with_every_setting_is_answered(model: str, tmp_path: Path) -> None:
    log_path = tmp_path / "provider.jsonl"
    server = ProviderServer(load_config(None, log_path=log_path, port=0, defaults={"latency": AT_ONCE}))
    rig = SimulatedGateway(default().simulated_at(f"{await server.start()}/v1"), log_path)

    answer = await rig.gateway.complete(
        a_request(model=model, temperature=0.5, seed=7, reasoning_effort="low", cache_ttl="1h")
    )

    assert (answer.recorded.model, answer.finish_reason) == (model, "stop")
    await rig.aclose()
    await server.stop()
