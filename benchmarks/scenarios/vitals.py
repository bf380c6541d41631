"""What a worker process holds: memory, descriptors, threads, asyncio tasks."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

SCRAPE_S_MAX = 5.0
KIB_PER_MIB = 1024
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
TASKS_METRIC = "pressline_asyncio_tasks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """One sample of one worker.

    Attributes:
        at_s: monotonic time.
        rss_mib: resident memory, in MiB.
        fds: open file descriptors.
        threads: threads.
        tasks: asyncio tasks of its event loop, or None when it did not answer.
    """

    at_s: float
    rss_mib: float
    fds: int
    threads: int
    tasks: int | None


def rss_mib(pid: int) -> float:
    """Return the resident memory of a process, in MiB."""
    return _rss_mib(_status(pid))


def cpu_s(pids: Iterable[int]) -> float:
    """Return the processor time of these processes and of their ended children, in seconds."""
    return sum(_cpu_s(pid) for pid in pids)


async def sample(client: httpx.AsyncClient, pid: int, address: str) -> Vitals:
    """Return what the worker holds now, by the kernel and by its own metrics."""
    status = _status(pid)
    return Vitals(
        at_s=time.monotonic(),
        rss_mib=_rss_mib(status),
        fds=_fds(pid),
        threads=int(status["Threads"]),
        tasks=await _tasks(client, address),
    )


def _cpu_s(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:  # it ended, and its parent has its time
        return 0.0
    return sum(int(ticks) for ticks in text.rpartition(")")[2].split()[11:15]) / TICKS_PER_S


def _fds(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _rss_mib(status: dict[str, str]) -> float:
    return int(status["VmRSS"].split()[0]) / KIB_PER_MIB


async def _tasks(client: httpx.AsyncClient, address: str) -> int | None:
    try:
        text = (await client.get(f"{address}/metrics", timeout=SCRAPE_S_MAX)).text
    except httpx.HTTPError:
        return None
    families = text_string_to_metric_families(text)
    return next((int(family.samples[0].value) for family in families if family.name == TASKS_METRIC), None)
