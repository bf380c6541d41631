"""The configuration of the simulated provider."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from streams.embedded.provider.config import (
    ConfigError,
    FaultShares,
    FixedLatency,
    LogNormalLatency,
    ModelBehaviour,
    ModelOverride,
    ProviderConfig,
    load_config,
)

YAML = """
port: 9001
log_path: truth.jsonl
defaults:
  latency: {kind: fixed, seconds: 0.5}
  faults: {http_429: 0.1}
  limits: {requests_per_minute: 100}
overrides:
  slow:
    latency: {kind: log_normal, median_s: 1, p99_s: 4}
models: [fast, slow]
"""


def test_a_file_is_read_and_given_values_win(tmp_path: Path) -> None:
    path = tmp_path / "provider.yaml"
    path.write_text(YAML)

    config = load_config(path, port=0, host=None)

    assert config.port == 0
    assert config.host == "127.0.0.1"
    assert config.behaviour_of("fast").latency == FixedLatency(seconds=0.5)
    slow = config.behaviour_of("slow")
    assert slow.latency == LogNormalLatency(median_s=1.0, p99_s=4.0)
    assert slow.limits.requests_per_minute == 100
    assert config.listed_models == ("fast", "slow")


def test_json_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "provider.json"
    path.write_text('{"log_path": "x.jsonl", "seed": 3}')

    assert load_config(path).seed == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("log_path: x\nprot: 1", "prot: unknown key"),
        ("log_path: x\ndefaults: {faults: {http_418: 0.1}}", r"defaults\.faults\.http_418: unknown key"),
        ("log_path: x\nport: '80'", "port: .*valid integer.*'80'"),
        ("log_path: x\ndefaults: {faults: {refusal: 0.6, timeout: 0.6}}", "sum to 1.2"),
        ("log_path: x\ndefaults: {latency: {kind: log_normal, median_s: 2, p99_s: 1}}", "below median_s"),
        ("port: 1", "log_path: missing"),
        ("- a\n- b", "holds list"),
        ("a: [", "cannot be read"),
        ("a: 2026-13-45", "cannot be read: month must be in 1..12"),
        (f"a: {'x' * 65_536}", "cannot be read: .* at most 65536"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "provider.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=complaint):
        load_config(path)


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("model", [ProviderConfig, ModelBehaviour, ModelOverride, FaultShares])
def test_every_field_is_described(model: type[BaseModel]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []
