"""The engine beside its peers: one broker, one run, the same records. `python benchmarks/engine.py`."""

import argparse
import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.console import Console
from rich.table import Table

from streams.embedded.kafka import EmbeddedKafka

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "benchmarks" / "peers"
PARTITIONS = 4
VALUE_BYTES = 500
RUN_S_MAX = 180.0
IDLE_MS_MAX = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of the table.

    Attributes:
        name: what it shows.
        peer: file in `peers`, without its ending.
        records: how many.
        call_s: how long each call sleeps, in seconds.
        in_flight: calls at once.
    """

    name: str
    peer: str
    records: int
    call_s: float
    in_flight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One run.

    Attributes:
        figures: what the peer reported.
        missing: records without an output.
        repeated: outputs beyond one per record.
    """

    figures: dict[str, float]
    missing: int
    repeated: int


def cases(noop_records: int) -> list[Case]:
    """Return all cases; those to be compared stand together."""
    noop = [
        Case(name="no call", peer=peer, records=noop_records, call_s=0.0, in_flight=500)
        for peer in ("raw_aiokafka", "pressline", "faust_agent")
    ]
    calls = [
        Case(name=f"1 s calls, {n} in flight", peer=peer, records=6 * n, call_s=1.0, in_flight=n)
        for n in (256, 2000)
        for peer in ("raw_aiokafka", "pressline")
    ]
    return [*noop, *calls]


async def run_case(brokers: str, case: Case) -> Result:
    """Fill a fresh topic, let the peer forward it, count what arrived."""
    name = f"bench-{secrets.token_hex(4)}"
    topic, out = f"{name}.in", f"{name}.out"
    await _fill(brokers, topic, out, case.records)
    command = [sys.executable, str(PEERS / f"{case.peer}.py"), brokers, topic, out, name]
    command += [str(case.records), str(case.call_s), str(case.in_flight)]
    done = await asyncio.to_thread(_run, command)
    values = await _values(brokers, out)
    figures = orjson.loads(done.stdout.splitlines()[-1])
    unique = len(set(values))
    return Result(figures=figures, missing=case.records - unique, repeated=len(values) - unique)


def _run(command: list[str]) -> "subprocess.CompletedProcess[bytes]":
    # Faust leaves a folder for its tables where it is started.
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run(  # noqa: S603 - our own command
            command,
            env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
            cwd=folder,
            stdout=subprocess.PIPE,
            timeout=RUN_S_MAX,
            check=True,
        )


async def _fill(brokers: str, topic: str, out: str, records: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    await admin.create_topics([NewTopic(each, PARTITIONS, 1) for each in (topic, out)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=brokers, max_batch_size=65_536, linger_ms=5)
    await producer.start()
    queued = [
        await producer.send(
            topic, value=str(number).encode().ljust(VALUE_BYTES), partition=number % PARTITIONS
        )
        for number in range(records)
    ]
    await asyncio.gather(*queued)
    await producer.stop()


async def _values(brokers: str, out: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    partitions = [TopicPartition(out, number) for number in range(PARTITIONS)]
    ends = await consumer.end_offsets(partitions)
    consumer.assign(partitions)
    values: list[bytes] = []
    while len(values) < sum(ends.values()):
        batches = await consumer.getmany(timeout_ms=IDLE_MS_MAX)
        values += [record.value for batch in batches.values() for record in batch]
    await consumer.stop()
    return values


async def measure(all_cases: list[Case], rounds: int) -> dict[Case, list[Result]]:
    """Run every case `rounds` times, interleaved, so that a noisy minute hits all alike."""
    results: dict[Case, list[Result]] = {case: [] for case in all_cases}
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedKafka(Path(folder)) as kafka:
            for number in range(rounds):
                for case in all_cases:
                    results[case].append(await run_case(kafka.bootstrap_servers, case))
                    print(f"round {number + 1}: {case.name}, {case.peer}: {results[case][-1]}", flush=True)
    return results


def show(results: dict[Case, list[Result]]) -> None:
    """Print medians with ranges, and ratios to the first peer of the same name."""
    table = Table("Case", "Peer", "records/s", "calls/s", "CPU µs/record", "CPU ratio", "missing", "repeated")
    first: dict[str, float] = {}
    for case, runs in results.items():
        cpu = statistics.median(_figure(runs, "cpu_us_per_record"))
        ratio = cpu / first.setdefault(case.name, cpu)
        table.add_row(
            case.name,
            case.peer,
            _spread(_figure(runs, "records_per_s")),
            _spread(_figure(runs, "calls_per_s")) if case.call_s else "",
            _spread(_figure(runs, "cpu_us_per_record")),
            f"{ratio:.2f}",
            str(sum(run.missing for run in runs)),
            str(sum(run.repeated for run in runs)),
        )
    Console(width=140).print(table)


def _figure(runs: Iterable[Result], name: str) -> list[float]:
    return [run.figures[name] for run in runs]


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each case")
    parser.add_argument("--records", type=int, default=20_000, help="records of the case without a call")
    options = parser.parse_args()
    show(asyncio.run(measure(cases(options.records), options.rounds)))


if __name__ == "__main__":
    main()
