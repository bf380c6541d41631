"""What a peer is asked to do, and what it says of itself. Standard library only, for every environment."""

import json
import os
import sys
import threading
import time
import zlib
from dataclasses import dataclass
from math import log
from pathlib import Path
from statistics import NormalDist

MARK = b"@bench "
P99_SIGMAS = NormalDist().inv_cdf(0.99)


@dataclass(frozen=True)
class Job:
    """What a peer is asked to do.

    Attributes:
        brokers: bootstrap servers.
        topic: where the records are.
        out: where each record goes.
        group: consumer group.
        in_flight: calls at once.
        ordering: `unordered`, or `key`: one per key at a time.
        call_s: how long a call sleeps, in seconds; the median where `call_p99_s` is given, 0 for no call.
        call_p99_s: 99th percentile of log-normal calls in seconds, or 0 where all take `call_s`.
        call_s_max: longer draws are cut to this.
    """

    brokers: str
    topic: str
    out: str
    group: str
    in_flight: int
    ordering: str
    call_s: float
    call_p99_s: float
    call_s_max: float

    @classmethod
    def from_command_line(cls) -> "Job":
        """Read the job that the benchmark wrote."""
        return cls(**json.loads(sys.argv[-1]))

    def sleep_s(self, value: bytes) -> float:
        """Return how long the call for `value` sleeps: the same for every peer."""
        if not self.call_p99_s:
            return self.call_s
        quantile = (zlib.crc32(value) + 0.5) / 2**32
        sigma = log(self.call_p99_s / self.call_s) / P99_SIGMAS
        drawn_s = self.call_s * 2.718281828459045 ** (sigma * NormalDist().inv_cdf(quantile))
        return min(drawn_s, self.call_s_max)


class Meter:
    """Tells the benchmark when the first record is taken, and its processor time and memory when asked."""

    def __init__(self) -> None:
        self._idle = True
        threading.Thread(target=self._answer, daemon=True).start()

    def taken(self) -> None:
        """A record was taken."""
        if self._idle:
            self._idle = False
            _tell("taken")

    def _answer(self) -> None:
        for _ in sys.stdin:
            _tell("report")


def _tell(event: str) -> None:
    line = {"event": event, "at_s": time.time(), "cpu_s": time.process_time(), "rss_kib": _peak_rss_kib()}
    # Past sys.stdout, which frameworks replace or leave a spinner on.
    os.write(1, b"\n%b%b\n" % (MARK, json.dumps(line).encode()))


def _peak_rss_kib() -> int:
    # Not getrusage: its peak begins with that of the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])
