"""Asks a model so often and says what that took. Standard library only, for every environment."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MODEL = "gpt-5-nano"
SYSTEM = "You write short, exact pages for travellers. " * 8
QUESTION = "Write a paragraph on flights from Paris to Rome: number, airlines, duration. " * 4
OUTPUT_TOKENS_MAX = 400
KEY = "no-key"


@dataclass(frozen=True)
class Job:
    """What a client is asked to do.

    Attributes:
        url: base URL of the server, up to the version.
        calls: how many are measured.
        warm_up: how many are made before.
        in_flight: calls at once.
        journal_url: where PostgreSQL is; empty: nowhere.
        folder: an empty one.
    """

    url: str
    calls: int
    warm_up: int
    in_flight: int
    journal_url: str
    folder: str


Ask = Callable[[int], Awaitable[str]]
"""Makes the call of that number and returns the answer's text."""


def main(open_client: Callable[[Job], Awaitable[Ask]]) -> None:
    """Do the job of the command line, and print what it took as JSON."""
    asyncio.run(_main(open_client, Job(**json.loads(sys.argv[-1]))))


async def _main(open_client: Callable[[Job], Awaitable[Ask]], job: Job) -> None:
    ask = await open_client(job)
    await _ask_all(ask, iter(range(job.warm_up)), job.in_flight)
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    took_s = await _ask_all(ask, iter(range(job.warm_up, job.warm_up + job.calls)), job.in_flight)
    wall_s, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    took_s.sort()
    told = {
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "p50_ms": took_s[len(took_s) // 2] * 1000,
        "p99_ms": took_s[len(took_s) * 99 // 100] * 1000,
        "answers": len(took_s),
        "rss_kib": _peak_rss_kib(),
    }
    print("@bench " + json.dumps(told), flush=True)


async def _ask_all(ask: Ask, numbers: Iterator[int], in_flight: int) -> list[float]:
    """Return the seconds of each call that was answered as it should be."""
    took_s: list[float] = []

    async def ask_on() -> None:
        for number in numbers:
            started_s = time.perf_counter()
            text = await ask(number)
            if text.startswith("Eleven airlines"):
                took_s.append(time.perf_counter() - started_s)

    await asyncio.gather(*(ask_on() for _ in range(in_flight)))
    return took_s


def _peak_rss_kib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


def messages() -> list[dict[str, str]]:
    """Return the prompt, the same for every client."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]


def question() -> dict[str, object]:
    """Return the request as OpenAI's chat completions have it."""
    return {"model": MODEL, "messages": messages(), "max_completion_tokens": OUTPUT_TOKENS_MAX}
