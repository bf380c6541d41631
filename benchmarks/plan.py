"""What is measured: the peers, and the cases in their groups."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One program that is measured.

    Attributes:
        name: its script in `peers`, without ending.
        title: as tables show it.
        requirements: its locked requirements in `peers`, without ending; None for those of the project.
        concurrent: whether it runs several calls of one partition at once.
        any_python: whether it is installed though it declares another Python than this one.
        noop_records: records of its runs without a call: some seconds' worth; 0 for none.
    """

    name: str
    title: str
    requirements: str | None
    concurrent: bool = True
    any_python: bool = False
    noop_records: int = 0


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="raw_aiokafka",
            title="raw aiokafka, semaphore",
            requirements="raw_aiokafka",
            noop_records=60_000,
        ),
        Peer(name="pressline", title="**Pressline**", requirements=None, noop_records=60_000),
        Peer(
            name="faust_agent",
            title="stock Faust agent, `concurrency`",
            requirements="faust_agent",
            noop_records=12_000,
        ),
        Peer(
            name="faststream_concurrent",
            title="FastStream + concurrent-aiokafka",
            requirements="faststream",
            noop_records=5_000,
        ),
        Peer(
            name="pyrallel_async",
            title="Pyrallel-Consumer",
            requirements="pyrallel",
            any_python=True,  # declares 3.12, runs on 3.11
            noop_records=12_000,
        ),
        Peer(name="arroyo_threads", title="Arroyo, threads", requirements="arroyo", noop_records=20_000),
        Peer(
            name="faststream_stock",
            title="FastStream",
            requirements="faststream",
            concurrent=False,
            noop_records=4_000,
        ),
        Peer(
            name="quix_streams",
            title="Quix Streams",
            requirements="quix",
            concurrent=False,
            noop_records=100_000,
        ),
        Peer(
            name="bytewax_map",
            title="Bytewax",
            requirements="bytewax",
            concurrent=False,
            noop_records=150_000,
        ),
    )
}
CONCURRENT = tuple(name for name, peer in PEERS.items() if peer.concurrent)
KEY_ORDERED = ("pressline", "pyrallel_async")
"""Those that run calls of one partition at once and keep the order of each key."""
PAIR = ("raw_aiokafka", "pressline")
WAVES = 6
"""Calls in flight, so many times over; rates leave out the first and the last wave."""
CALL_S_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of a table.

    Attributes:
        name: what it shows.
        peer: who is measured.
        records: how many.
        in_flight: calls at once, in each worker.
        call_s: how long a call sleeps, in seconds; the median where `call_p99_s` is given, 0 for no call.
        call_p99_s: 99th percentile of log-normal calls in seconds, or 0 where all take `call_s`.
        keys: different keys.
        partitions: of the topic.
        workers: processes of the same group.
        value_bytes: size of each value.
        ordering: `unordered`, or `key`.
        rounds_max: most runs of it, where one says enough.
    """

    name: str
    peer: str
    records: int
    in_flight: int
    call_s: float = 0.0
    call_p99_s: float = 0.0
    keys: int = 500
    partitions: int = 4
    workers: int = 1
    value_bytes: int = 200
    ordering: str = "unordered"
    rounds_max: int = 100


def _noop() -> Iterable[Case]:
    for name, peer in PEERS.items():
        yield Case(name="no call", peer=name, records=peer.noop_records, in_flight=500)


def _calls() -> Iterable[Case]:
    for in_flight in (256, 2000):
        for name in CONCURRENT:
            yield _call(f"1 s calls, {in_flight:,} in flight", name, in_flight)
    for name, peer in PEERS.items():
        if not peer.concurrent:
            yield Case(
                name="1 s calls, one at a time", peer=name, records=8, in_flight=1, call_s=1.0, rounds_max=1
            )


def _memory() -> Iterable[Case]:
    for name in PAIR:
        yield _call("1 s calls, 10,000 in flight, 1 KiB values", name, 10_000, value_bytes=1024)


def _workers() -> Iterable[Case]:
    for count in (1, 2, 4):
        name = f"1 s calls, 256 in flight each, {count} workers"
        yield _call(name, "pressline", 256, workers=count, partitions=8)


def _work() -> Iterable[Case]:
    for call_s, records in ((0.0, 20_000), (0.001, 20_000), (0.01, 20_000), (0.1, 10_000), (1.0, 1280)):
        for peer in CONCURRENT:
            name = f"{call_s * 1000:g} ms"
            yield Case(name=name, peer=peer, records=records, in_flight=256, call_s=call_s)
    for peer in CONCURRENT:
        name = "log-normal, 1 s, p99 20 s"
        yield Case(name=name, peer=peer, records=2560, in_flight=256, call_s=1.0, call_p99_s=20.0)


def _keys() -> Iterable[Case]:
    for keys, records in ((1, 300), (10, 3000), (100, 10_000), (10_000, 20_000)):
        for peer in KEY_ORDERED:
            name = f"{keys:,} keys"
            yield Case(
                name=name,
                peer=peer,
                records=records,
                in_flight=2000,
                call_s=0.01,
                keys=keys,
                ordering="key",
            )


def _in_flight() -> Iterable[Case]:
    for in_flight in (256, 2000, 10_000):
        for peer in CONCURRENT:
            yield _call(f"{in_flight:,} in flight", peer, in_flight)


def _partitions() -> Iterable[Case]:
    for partitions in (1, 8, 64):
        for peer in PAIR:
            yield Case(
                name=f"{partitions} partitions, no call",
                peer=peer,
                records=40_000,
                in_flight=500,
                partitions=partitions,
                keys=1000,
            )
            yield _call(f"{partitions} partitions, 1 s calls", peer, 2000, partitions=partitions, keys=1000)


def _call(  # noqa: PLR0913 - what the cases of 1 s calls differ in
    name: str,
    peer: str,
    in_flight: int,
    *,
    workers: int = 1,
    partitions: int = 4,
    keys: int = 500,
    value_bytes: int = 200,
) -> Case:
    return Case(
        name=name,
        peer=peer,
        records=WAVES * in_flight * workers,
        in_flight=in_flight,
        call_s=1.0,
        partitions=partitions,
        keys=keys,
        workers=workers,
        value_bytes=value_bytes,
    )


GROUPS: dict[str, tuple[Case, ...]] = {
    "noop": tuple(_noop()),
    "calls": tuple(_calls()),
    "memory": tuple(_memory()),
    "workers": tuple(_workers()),
    "sweep-work": tuple(_work()),
    "sweep-keys": tuple(_keys()),
    "sweep-in-flight": tuple(_in_flight()),
    "sweep-partitions": tuple(_partitions()),
}
LATENCY = "latency"
"""Measured by `four_stages.py`: it has stages, not peers."""
GATEWAY = "gateway"
"""Measured by `gateway_run.py`: other clients of models are its peers."""
CORE = ("noop", "calls", "memory", "workers", LATENCY)
SWEEPS = tuple(name for name in GROUPS if name.startswith("sweep-"))
