"""Metrics of the answer cache; their names are in `streams/telemetry.py`."""

from prometheus_client import CollectorRegistry, Counter

from schemas.usage import UsageRecorded


class CacheMetrics:
    """What the cache had and spared, by recipe and step.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter(
            "pressline_cache_answers_total",
            "Answers of steps that use the cache.",
            ("recipe", "step", "result"),
            registry=registry,
        )
        self._saved = Counter(
            "pressline_cache_saved_usd_total",
            "What cached answers cost when they were bought, in US dollars.",
            ("recipe", "step", "simulated"),
            registry=registry,
        )
        self._failures = Counter(
            "pressline_cache_failures_total", "Cache away or too slow.", ("operation",), registry=registry
        )

    def answered(self, call: UsageRecorded) -> None:
        """Count a call of a step that uses the cache; its recipe's versions are one series."""
        if call.cache is None:
            return
        labels = (call.recipe.partition("@")[0], call.step)
        self._answers.labels(*labels, call.cache).inc()
        self._saved.labels(*labels, str(call.simulated).lower()).inc(float(call.saved_usd))

    def failed(self, operation: str) -> None:
        """Count an operation that the cache failed, or was too slow for."""
        self._failures.labels(operation).inc()
