"""What every peer measures in the same way, and how it says so."""

import os
import sys
import time
from dataclasses import dataclass, field

import orjson


@dataclass
class Job:
    """What a peer is asked to do, from its command line.

    Attributes:
        brokers: bootstrap servers.
        topic: where the records are.
        out: where each record goes.
        group: consumer group.
        records: how many there are.
        call_s: how long each call sleeps, in seconds; 0 for none.
        in_flight: calls at once.
    """

    brokers: str
    topic: str
    out: str
    group: str
    records: int
    call_s: float
    in_flight: int

    @classmethod
    def from_command_line(cls) -> "Job":
        """Read the job that `benchmarks/engine.py` wrote."""
        brokers, topic, out, group, records, call_s, in_flight = sys.argv[-7:]
        return cls(brokers, topic, out, group, int(records), float(call_s), int(in_flight))


@dataclass
class Meter:
    """Wall and processor time from the first record taken to the last result acknowledged.

    Attributes:
        job: the job.
    """

    job: Job
    _first_s: float = 0.0
    _first_cpu_s: float = 0.0
    _answers_s: list[float] = field(default_factory=list)

    def taken(self) -> None:
        """A record was taken."""
        if not self._first_s:
            self._first_s, self._first_cpu_s = time.perf_counter(), time.process_time()

    def answered(self) -> None:
        """A call has ended."""
        self._answers_s.append(time.perf_counter())

    @property
    def complete(self) -> bool:
        """Whether every call has ended."""
        return len(self._answers_s) >= self.job.records

    def report(self) -> None:
        """Print the figures as one JSON object; everything is acknowledged."""
        wall_s, cpu_s = time.perf_counter() - self._first_s, time.process_time() - self._first_cpu_s
        # The first wave of calls is the wait for the first answer: rates count from its last answer on.
        times_s, wave = sorted(self._answers_s), min(self.job.in_flight, len(self._answers_s) - 1)
        flowing_s = times_s[-1] - times_s[wave - 1]
        figures = {
            "wall_s": wall_s,
            "cpu_us_per_record": cpu_s / self.job.records * 1e6,
            "records_per_s": self.job.records / wall_s,
            "calls_per_s": (len(times_s) - wave) / flowing_s,
        }
        # Past sys.stdout, which Faust replaces; it also leaves its spinner on the line.
        os.write(1, b"\n%b\n" % orjson.dumps(figures))
