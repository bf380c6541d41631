"""What the tests of the simulated provider share."""

from pathlib import Path

import pytest

from streams.embedded.provider.config import ProviderConfig


@pytest.fixture
def config(tmp_path: Path) -> ProviderConfig:
    return ProviderConfig(log_path=tmp_path / "provider.jsonl", seed=7)
