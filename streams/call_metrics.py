"""Metrics of model calls; their names are in `streams/telemetry.py`."""

from prometheus_client import CollectorRegistry, Counter

from schemas.events import TaskGenerated
from schemas.usage import UsageRecorded


class CallMetrics:
    """What calls took, and what stood in for the answers that were wanted.

    Args:
        registry: where they are registered.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        model = ("provider", "model", "simulated")
        self._calls = counter("pressline_model_calls_total", "Paid model calls.", *model)
        self._cost = counter("pressline_model_cost_usd_total", "Their price in US dollars.", *model)
        self._tokens = counter("pressline_model_tokens_total", "Their tokens.", *model, "direction")
        self._fallbacks = counter(
            "pressline_model_fallbacks_total", "Answers of fallbacks.", "model_from", "model_to", "reason"
        )
        self._hedges = counter("pressline_model_hedges_total", "Hedged calls.", "model", "result")
        self._templates = counter(
            "pressline_template_answers_total", "Answers made from a template.", "recipe"
        )
        self._trimmed = counter(
            "pressline_prompt_parts_trimmed_total", "Parts trimmed to fit.", "recipe", "part"
        )

    def answered(self, call: UsageRecorded) -> None:
        """Count a call that was paid for."""
        labels = (call.provider, call.model, str(call.simulated).lower())
        self._calls.labels(*labels).inc()
        self._cost.labels(*labels).inc(float(call.cost_usd))
        self._tokens.labels(*labels, "input").inc(call.usage.input)
        self._tokens.labels(*labels, "output").inc(call.usage.output)
        if call.fallback_from is not None:
            self._fallbacks.labels(call.fallback_from, call.model, call.fallback_reason).inc()
        if call.hedge is not None:
            self._hedges.labels(call.model, call.hedge).inc()
        for part in call.trimmed:
            self._trimmed.labels(call.recipe.partition("@")[0], part).inc()

    def generated(self, event: TaskGenerated) -> None:
        """Count the steps of a page that were made from templates."""
        recipe = event.plan.recipe.partition("@")[0]
        self._templates.labels(recipe).inc(sum(step.template is not None for step in event.steps))
