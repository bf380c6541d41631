"""Metrics: every name, its kind, unit and meaning, and what to do about it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from processors.gateway.limits import ProviderLimits
from schemas.base import Outcome, Stage
from schemas.budgets import BudgetScope
from schemas.events import TaskGenerated
from schemas.failures import FailureReason
from schemas.scope import Scope
from schemas.usage import UsageRecorded
from schemas.why import RECORD_CAUSES, WorkerWhy
from streams.budgets import BudgetLine
from streams.cache_metrics import CacheMetrics
from streams.call_metrics import CallMetrics
from streams.call_pace import CallPace
from streams.engine.state import ConsumerHealth
from streams.scaling import Desired

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MANY_NAMES = (BudgetScope.BATCH, BudgetScope.TASK)
STAGE_SECONDS = (0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0)

MetricName = Literal[
    "pressline_stage_duration_seconds",  # histogram: one attempt of a stage; p99 up -> look at the provider
    "pressline_tasks_finished_total",  # counter: terminal events; rejected or dead_lettered up -> look there
    "pressline_dead_letters_total",  # counter: by reason; any rise -> `pressline dead-letters list`
    "pressline_records_postponed_total",  # counter: went to wait in a retry topic; up -> see the reason
    "pressline_records_redelivered_total",  # counter: left there, by where to; 0 for long -> run `redeliver`
    "pressline_model_calls_total",  # counter: paid calls
    "pressline_model_tokens_total",  # counter: their tokens by direction
    "pressline_prompt_parts_trimmed_total",  # counter: by recipe and part; up -> shorten inputs or prompt
    "pressline_model_cost_usd_total",  # counter: their price in US dollars; simulated calls are labelled so
    "pressline_model_fallbacks_total",  # counter: answers of another model than asked; up -> the reason
    "pressline_model_hedges_total",  # counter: second calls by result; mostly lost -> raise hedge_after_s
    "pressline_template_answers_total",  # counter: steps that no model answered; any rise -> see the models
    "pressline_cache_answers_total",  # counter: by step, and whether it was a hit, stale or a miss
    "pressline_cache_saved_usd_total",  # counter: what those answers cost when they were bought, US dollars
    "pressline_cache_failures_total",  # counter: cache away or slower than 0.25 s; up -> look at PostgreSQL
    "pressline_partitions_assigned",  # gauge: 0 for long -> fewer workers or more partitions
    "pressline_in_flight_records",  # gauge: taken and unfinished, by what they wait for
    "pressline_waiting_records",  # gauge: the same by cause, such as quota or paused -> `pressline why-stuck`
    "pressline_pending_records",  # gauge: unfinished up to the end of the log: the true backlog
    "pressline_head_age_seconds",  # gauge: age of the oldest unfinished record taken; up: behind or stuck
    "pressline_desired_workers",  # gauge: over all workers; scale on `max by (stage)` -> `pressline scaling`
    "pressline_stalled",  # gauge: 1 after a stage joined anew for want of progress -> `pressline why-stuck`
    "pressline_drain_seconds",  # gauge: backlog by the last minute's rate; +Inf: nothing is finished
    "pressline_oldest_in_flight_seconds",  # gauge: age of the oldest unfinished record; up: stuck
    "pressline_last_poll_age_seconds",  # gauge: seconds since the last poll; up: stalled
    "pressline_commit_failing",  # gauge: 1 while commits fail -> broker or group trouble
    "pressline_asyncio_tasks",  # gauge: tasks of the event loop; up while in-flight records are not: a leak
    "pressline_limit_waiting_calls",  # gauge: calls that wait for a provider's limit
    "pressline_limit_share",  # gauge: share of a provider's limits in use here, lent and borrowed reckoned in
    "pressline_limit_per_minute",  # gauge: limit over all workers; below the catalogue's -> correct it there
    "pressline_budget_left_usd",  # gauge: to the hard limit, else the soft one; 0 -> `pressline budgets list`
    "pressline_breaker_open",  # gauge: 1 while that provider, model, recipe or tenant fails -> look there
]


class Telemetry:
    """The worker's metrics, in a registry of their own.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.calls = CallPace()
        self.cache = CacheMetrics(registry)
        self._models = CallMetrics(registry)
        self._duration = _histogram("pressline_stage_duration_seconds", "One attempt of a stage.", registry)
        self._finished = _counter(
            "pressline_tasks_finished_total", "Terminal events.", ("stage", "outcome"), registry
        )
        self._dead = _counter("pressline_dead_letters_total", "Dead letters.", ("stage", "reason"), registry)
        self._postponed = _counter(
            "pressline_records_postponed_total", "Went to a retry topic.", ("stage", "reason"), registry
        )
        self._redelivered = _counter(
            "pressline_records_redelivered_total", "Left a retry topic.", ("topic",), registry
        )

    def stage_ran(self, stage: Stage, duration_s: float) -> None:
        """Observe how long one attempt of a stage took."""
        self._duration.labels(stage).observe(duration_s)

    def finished(self, stage: Stage, outcome: Outcome) -> None:
        """Count a terminal event."""
        self._finished.labels(stage, outcome).inc()

    def postponed(self, stage: Stage, reason: FailureReason) -> None:
        """Count a record that waits in a retry topic."""
        self._postponed.labels(stage, reason).inc()

    def redelivered(self, topic: str) -> None:
        """Count a record that came back to `topic`."""
        self._redelivered.labels(topic).inc()

    def dead_lettered(self, stage: str, reason: FailureReason) -> None:
        """Count a dead letter."""
        self._dead.labels(stage, reason).inc()

    def model_call(self, call: UsageRecorded) -> None:
        """Count a model call, paid or answered by the cache."""
        self.cache.answered(call)
        if call.cached:
            return
        self.calls = self.calls.after(call)
        self._models.answered(call)

    def generated(self, event: TaskGenerated) -> None:
        """Count the steps of a page that were made from templates."""
        self._models.generated(event)

    def watch_consumers(self, health: Callable[[], Iterable[tuple[str, ConsumerHealth]]]) -> None:
        """Report what `health` says of each stage consumer at every scrape."""
        self.registry.register(_ConsumerCollector(health))

    def watch_tasks(self, count: Callable[[], int]) -> None:
        """Report how many tasks the event loop has at every scrape."""
        _gauge("pressline_asyncio_tasks", "Tasks of the event loop.", self.registry).set_function(count)

    def watch_limits(self, limits: Mapping[str, ProviderLimits]) -> None:
        """Report at every scrape how each provider's limits stand."""
        self.registry.register(_LimitCollector(limits))

    def watch_budgets(self, lines: Callable[[], Iterable[BudgetLine]]) -> None:
        """Report at every scrape what the budgets have left."""
        self.registry.register(_BudgetCollector(lines))

    def watch_breakers(self, opened: Callable[[], Iterable[Scope]]) -> None:
        """Report at every scrape the scopes whose breakers are not closed."""
        self.registry.register(_BreakerCollector(opened))

    def watch_report(self, report: Callable[[], WorkerWhy]) -> None:
        """Report what `report` says of each stage at every scrape."""
        self.registry.register(_WhyCollector(report))

    def watch_scaling(self, wanted: Callable[[], Mapping[Stage, Desired]]) -> None:
        """Report how many workers each stage wants at every scrape."""
        self.registry.register(_ScalingCollector(wanted))

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)


class _ConsumerCollector(Collector):
    def __init__(self, health: Callable[[], Iterable[tuple[str, ConsumerHealth]]]) -> None:
        self._health = health

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Make the gauges from what the consumers say now."""
        assigned = _family("pressline_partitions_assigned", "Partitions held.")
        in_flight = _family("pressline_in_flight_records", "Unfinished records.", ("stage", "waits_for"))
        oldest = _family("pressline_oldest_in_flight_seconds", "Age of the oldest unfinished record.")
        poll = _family("pressline_last_poll_age_seconds", "Seconds since the last poll.")
        failing = _family("pressline_commit_failing", "1 while commits fail.")
        for stage, health in self._health():
            assigned.add_metric([stage], health.assigned)
            oldest.add_metric([stage], health.oldest_in_flight_s)
            poll.add_metric([stage], health.last_poll_age_s)
            failing.add_metric([stage], float(health.commit_error is not None))
            for waits_for in ("turn", "slot", "stage", "retry", "send"):
                in_flight.add_metric([stage, waits_for], health.waiting.get(waits_for, 0))
        yield from (assigned, in_flight, oldest, poll, failing)


class _LimitCollector(Collector):
    def __init__(self, limits: Mapping[str, ProviderLimits]) -> None:
        self._limits = limits

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Make the gauges from how the limits stand now."""
        waiting = _family("pressline_limit_waiting_calls", "Calls waiting for a limit.", ("provider",))
        share = _family("pressline_limit_share", "Share of the limits in use here.", ("provider",))
        per_minute = _family("pressline_limit_per_minute", "Limit over all workers.", ("provider", "kind"))
        for provider, limits in self._limits.items():
            waiting.add_metric([provider], limits.waiting())
            share.add_metric([provider], limits.share)
            for kind, limit in limits.per_minute().items():
                per_minute.add_metric([provider, kind], limit)
        yield from (waiting, share, per_minute)


class _BudgetCollector(Collector):
    def __init__(self, lines: Callable[[], Iterable[BudgetLine]]) -> None:
        self._lines = lines

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Make the gauge from what is booked; batches and tasks are too many for series of their own."""
        labels = ("scope", "name", "window", "simulated")
        left = _family("pressline_budget_left_usd", "Left in the present window in US dollars.", labels)
        for line in self._lines():
            if line.name is not None and (line.rule.name is not None or line.rule.scope not in MANY_NAMES):
                rule, simulated = line.rule, str(line.simulated).lower()
                left.add_metric([rule.scope, line.name, rule.window, simulated], float(line.left_usd))
        yield left


class _BreakerCollector(Collector):
    def __init__(self, opened: Callable[[], Iterable[Scope]]) -> None:
        self._opened = opened

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Make the gauge from the breakers that are not closed now."""
        opened = _family("pressline_breaker_open", "1 while a breaker is not closed.", ("kind", "name"))
        for scope in self._opened():
            opened.add_metric([scope.kind, scope.name], 1)
        yield opened


class _WhyCollector(Collector):
    def __init__(self, report: Callable[[], WorkerWhy]) -> None:
        self._report = report

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Make the gauges from the newest report."""
        waiting = _family("pressline_waiting_records", "Unfinished records by cause.", ("stage", "cause"))
        pending = _family("pressline_pending_records", "Unfinished records up to the log's end.")
        age = _family("pressline_head_age_seconds", "Age of the oldest unfinished record taken.")
        drain = _family("pressline_drain_seconds", "Seconds until the backlog is done at the present rate.")
        stalled = _family("pressline_stalled", "1 while a stage should move and does not.")
        now = datetime.now(UTC)
        for stage in self._report().stages:
            for cause in RECORD_CAUSES:
                waiting.add_metric([stage.stage, cause], stage.waiting.get(cause, 0))
            pending.add_metric([stage.stage], stage.pending)
            age.add_metric([stage.stage], (now - stage.head_at).total_seconds() if stage.head_at else 0.0)
            drain.add_metric([stage.stage], stage.drain_s)
            stalled.add_metric([stage.stage], float(stage.stalled))
        yield from (waiting, pending, age, drain, stalled)


class _ScalingCollector(Collector):
    def __init__(self, wanted: Callable[[], Mapping[Stage, Desired]]) -> None:
        self._wanted = wanted

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Make the gauge from the newest reports of all workers."""
        workers = _family("pressline_desired_workers", "Workers that a stage wants.", ("stage", "bound_by"))
        for stage, wanted in self._wanted().items():
            workers.add_metric([stage, wanted.bound_by], wanted.workers)
        yield workers


def _counter(name: MetricName, text: str, labels: tuple[str, ...], registry: CollectorRegistry) -> Counter:
    return Counter(name, text, labels, registry=registry)


def _histogram(name: MetricName, text: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(name, text, ("stage",), registry=registry, buckets=STAGE_SECONDS)


def _gauge(name: MetricName, text: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, text, registry=registry)


def _family(name: MetricName, text: str, labels: tuple[str, ...] = ("stage",)) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)
