"""Options and fixtures that more than one folder uses."""

from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"

pytest_plugins = [
    "fixtures.embedded",
    "fixtures.engine",
    "fixtures.redis_server",
    "fixtures.store",
    "fixtures.worker",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--recordings",
        type=Path,
        default=DATA / "recordings",
        help="folder of recorded exchanges with providers (YAML cassettes)",
    )
    parser.addoption(
        "--usages",
        type=Path,
        default=DATA / "usages" / "usages.json",
        help="raw usage objects with their expected prices, in the form of genai-prices' own tests",
    )
