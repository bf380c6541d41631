"""2,000 calls of 1 s in flight through the four stages of one worker, with journal, budgets and limits on.

A bare server answers in place of the simulated provider, whose texts and log cost more than the gateway does.
The rate is that of answers, from when the second wave is asked for until the last one is: in flight / latency
is the ideal.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import yaml

from streams.embedded import ports
from streams.embedded.processes import ChildProcess

from .findings import Bar, Findings
from .load import SHORT
from .scene import Running, Scene
from .vitals import cpu_s

CALL_S = 1.0
RATE_SHARE_MIN = 0.95
WAVES = 6
IN_FLIGHT, SHORT_IN_FLIGHT = 2000, 50
SERVE_S_MAX = 10.0
WAVES_S_MAX = 240.0
END_S_MAX = 120.0
SERVER = Path(__file__).parents[1] / "clients" / "chat_server.py"
SENTENCE = {"sentence": "A sentence that is as long as the recipe wants it."}
BUDGETS = {
    "budgets": [
        {"scope": "tenant", "window": "month", "hard_usd": 1000000},
        {"scope": "team", "name": "default", "window": "day", "hard_usd": 1000000},
    ]
}


async def run(scene: Scene, *, short: bool) -> Findings:
    """Fill generate with calls, and measure how many a second are answered and what that takes."""
    in_flight = SHORT_IN_FLIGHT if short else IN_FLIGHT
    server = _serve(scene)
    try:
        await scene.until(lambda: _served(server.url) is not None, SERVE_S_MAX)
        worker = await scene.start_worker(IN_FLIGHT=in_flight, **_settings(scene.folder, server.url))
        return await _measured(scene, worker, server.url, in_flight)
    finally:
        server.child.kill()


async def _measured(scene: Scene, worker: Running, url: str, in_flight: int) -> Findings:
    tasks = WAVES * in_flight
    await scene.load.heap(SHORT, tasks)
    await scene.until(lambda: (_served(url) or 0) >= 2 * in_flight, WAVES_S_MAX)
    before = _sample(scene, worker, url)
    await scene.until(lambda: (_served(url) or 0) >= tasks - in_flight, WAVES_S_MAX)
    spent = {name: value - before[name] for name, value in _sample(scene, worker, url).items()}
    await scene.finished(END_S_MAX)
    rate = spent["calls"] / spent["wall_s"]
    return Findings(
        bars=(
            Bar(
                name="calls a second, of in flight / latency",
                measured=rate * CALL_S / in_flight,
                bound=RATE_SHARE_MIN,
                at_least=True,
            ),
            *scene.nothing_lost(),
            Bar(name="calls repeated", measured=(_served(url) or 0) - tasks, bound=0),
        ),
        facts={"calls a second": rate, **_cpu_ms_per_call(spent)},
    )


def _cpu_ms_per_call(spent: Mapping[str, float]) -> dict[str, float]:
    """Return what each call took of the processes; the worker's is that of all four stages."""
    calls = max(1.0, spent["calls"])
    return {
        f"CPU of {name}, ms a call": spent[name] / calls * 1000 for name in ("worker", "PostgreSQL", "Kafka")
    }


def _sample(scene: Scene, worker: Running, url: str) -> dict[str, float]:
    return {
        "wall_s": time.monotonic(),
        "calls": float(_served(url) or 0),
        "worker": cpu_s([worker.child.pid]),
        "PostgreSQL": cpu_s(scene.postgres.pids),
        "Kafka": cpu_s(scene.kafka.pids),
    }


@dataclass(frozen=True, slots=True)
class _Server:
    """The server of answers, and its address."""

    child: ChildProcess
    url: str


def _serve(scene: Scene) -> _Server:
    port = ports.choose()
    command = [sys.executable, str(SERVER), str(port), str(CALL_S), orjson.dumps(SENTENCE).decode()]
    child = ChildProcess(name="server", command=command, folder=scene.folder, log=scene.folder / "server.log")
    return _Server(child, f"http://127.0.0.1:{port}")


def _served(url: str) -> int | None:
    """Return how many calls the server was asked for, or None when it does not answer."""
    try:
        return int(httpx.get(f"{url}/served", trust_env=False).json())
    except httpx.HTTPError:
        return None


def _settings(folder: Path, url: str) -> dict[str, object]:
    """Return the worker's own settings: the scene's catalogue answered by the server, limits and budgets."""
    catalogue = yaml.safe_load((folder / "catalogue.yaml").read_text())
    limits = {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000, "concurrency": 10_000}
    catalogue["providers"][0] |= {"simulated": False, "base_url": f"{url}/v1", "limits": limits}
    (folder / "served.yaml").write_text(yaml.safe_dump(catalogue))
    (folder / "budgets.yaml").write_text(yaml.safe_dump(BUDGETS))
    return {"PROVIDERS": folder / "served.yaml", "BUDGETS": folder / "budgets.yaml"}
