"""What a fault proxy does to what passes through it."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from .proxy_frames import Api


class Way(StrEnum):
    """A direction, as the proxy sees it."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


BOTH_WAYS = frozenset(Way)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One fault. Several rules at once add up.

    Attributes:
        client: only connections whose client id contains this; "" is all.
        apis: only these requests and their answers; empty is everything, protocol or not.
        delay_s: each passage takes that long, in seconds.
        jitter_s: more or less by up to that much.
        bytes_per_s: no more passes, each way; None is no bound.
        held: directions in which nothing passes while the rule stands: a network partition, as TCP sees it.
        swallowed: requests arrive, their answers do not: the connection is cut in place of the answer.
        silent: with `swallowed`: the connection stays, but nothing more comes from the server.
        refused: connections are cut at their next passage, so no new one comes to life either.
    """

    client: str = ""
    apis: frozenset[Api] = frozenset()
    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float | None = None
    held: frozenset[Way] = frozenset()
    swallowed: bool = False
    silent: bool = False
    refused: bool = False

    def strikes(self, client_id: str, api: int | None) -> bool:
        """Tell whether it is about this connection and this request, or its answer."""
        return self.client in client_id and (not self.apis or api in self.apis)


def passage_s(rules: Iterable[Rule], chance: random.Random) -> float:
    """Return how many seconds one passage takes."""
    took_s = 0.0
    for rule in rules:
        took_s += max(0.0, rule.delay_s + chance.uniform(-rule.jitter_s, rule.jitter_s))
    return took_s


def line_s(rules: Iterable[Rule], size: int) -> float:
    """Return for how many seconds `size` bytes occupy the line: the next ones wait for that."""
    return sum(size / rule.bytes_per_s for rule in rules if rule.bytes_per_s)
