"""Run the simulated provider: `python -m streams.embedded.provider --port N --log FILE`."""

import argparse
import sys
from pathlib import Path

import orjson

from streams.embedded.provider.config import ConfigError, load_config
from streams.embedded.provider.log import LogFullError
from streams.embedded.provider.server import run_provider

WRONG_USE = 2
PART_MISSING = 3


def main() -> int:
    """Serve until SIGTERM or SIGINT; the first line on stdout is a JSON object with the base URL.

    Returns:
        0 when stopped, 2 for a wrong configuration, 3 if the address or the log cannot be used.
    """
    arguments = _parser().parse_args()
    try:
        config = load_config(
            arguments.config,
            host=arguments.host,
            port=arguments.port,
            log_path=arguments.log,
            seed=arguments.seed,
        )
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    try:
        run_provider(config, _announce)
    except (OSError, LogFullError) as error:
        sys.stderr.write(f"cannot serve on {config.host}:{config.port}, log {config.log_path}: {error}\n")
        return PART_MISSING
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m streams.embedded.provider",
        description="Simulated model provider. Flags win over the configuration file.",
    )
    parser.add_argument("--port", type=int, help="TCP port, 0 = any free (default 8700)")
    parser.add_argument("--host", help="address to bind (default 127.0.0.1)")
    parser.add_argument("--log", type=Path, help="ground truth log, JSON lines, appended to")
    parser.add_argument("--seed", type=int, help="of texts, faults and latencies (default 0)")
    parser.add_argument("--config", type=Path, help="YAML or JSON file with the fields of ProviderConfig")
    return parser


def _announce(url: str) -> None:
    sys.stdout.buffer.write(orjson.dumps({"event": "ready", "url": url, "simulated": True}) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
