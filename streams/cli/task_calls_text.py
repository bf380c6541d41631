"""The model calls of a task for eyes."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from processors.gateway.hedging import is_hedge
from streams.cli.cache_text import unpaid_text
from streams.cli.printable import one_line
from streams.store.task_calls import TaskCall
from streams.task_path import TaskPath


def calls_table(path: TaskPath) -> Table:
    """Return the table of every attempt of every call, in the order of time."""
    columns = (
        "Step",
        "Try",
        "Model",
        "Provider",
        "State",
        "Fresh",
        "Cache read",
        "Cache write",
        "Other",
        "Output",
    )
    table = Table(*columns, "Reasoned", "USD", "First", "Took", "Error", title="Model calls")
    table.title_justify = "left"
    for call in path.calls:
        usage = call.usage
        counts = (usage.input_fresh, usage.input_cache_read, usage.input_cache_write, usage.input_other)
        table.add_row(
            *(call.step, str(call.attempt), _model(call, path.plan), call.provider, _state(call)),
            *(str(count) for count in (*counts, usage.output, usage.reasoning)),
            *("0" if call.replayed else f"{call.cost_usd:f}", _seconds(call.first_token_s)),
            *(_seconds(call.latency_s), Text(one_line(call.error or ""))),
        )
    return table


def _model(call: TaskCall, plan: Mapping[str, Any] | None) -> str:
    """The model, who answered under its name, and why it is not the plan's."""
    answered = f" as {call.response_model}" if call.response_model not in {None, call.model} else ""
    if call.fallback_from:
        why = f" (in place of {call.fallback_from}: {call.fallback_reason})"
    elif is_hedge(call.step):
        why = " (a hedge)"
    else:
        why = " (the step's own tier)" if plan and call.model != plan["model"] else ""
    return one_line(f"{call.model}{answered}{why}")


def _state(call: TaskCall) -> str:
    if (unpaid := unpaid_text(call)) is not None:
        return unpaid
    estimated = ", tokens estimated" if call.usage_estimated else ""
    cut = ", cut off" if call.finish_reason == "length" else ""
    trimmed = f", trimmed {' and '.join(call.trimmed)}" if call.trimmed else ""
    return f"{call.state}{cut}{estimated}{trimmed}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"
