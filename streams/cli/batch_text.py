"""A load in words: one line, one JSON object, one table."""

from rich.table import Table

from schemas.base import Outcome
from streams.cli.printable import one_line
from streams.progress import LoadProgress, failed, imbalance, in_review, is_settled
from streams.store.batches import BatchStatus
from streams.store.task_rows import Progress

STALL_S = 60.0
STALL_HINT = (
    f"nothing has moved for {STALL_S:.0f} s: `pressline doctor` tells whether everything runs, "
    "`pressline worker` starts a worker"
)


SIMULATED = " (simulated)"


def status_object(status: BatchStatus) -> dict[str, object]:
    """Return the load and its counts for JSON."""
    batch = status.batch
    return {
        "batch_id": batch.batch_id,
        "recipe": f"{batch.recipe_name}@{batch.recipe_version}",
        "tenant": batch.tenant,
        "lane": batch.lane.value,
        "source": batch.source,
        "created_at": status.created_at.isoformat(),
        "finished_at": status.finished_at.isoformat() if status.finished_at else None,
        "rows_total": batch.rows_total,
        "rows_sent": status.rows_sent,
        "states": status.states,
        "settled": is_settled(status),
        "balance": imbalance(status),
        "calls": status.calls,
        "input_tokens": status.input_tokens,
        "output_tokens": status.output_tokens,
        "cost_usd": str(status.cost_usd),
        "cache_hits": status.cache_hits,
        "saved_usd": str(status.saved_usd),
    }


def progress_object(progress: LoadProgress) -> dict[str, object]:
    """Return the load's progress for JSON."""
    return status_object(progress.status) | {
        "simulated": progress.simulated,
        "rows_per_s": round(progress.rows_per_s, 2),
        "left_s": None if progress.left_s is None else round(progress.left_s, 1),
        "stalled_s": round(progress.stalled_s, 1),
    }


def progress_line(progress: LoadProgress) -> str:
    """Return rate, time left, states and cost in one line."""
    status = progress.status
    total = status.batch.rows_total
    left = "" if progress.left_s is None else f", about {duration(progress.left_s)} left"
    states = "  ".join(f"{state} {count:,}" for state, count in status.states.items())
    return (
        f"{total - imbalance(status):,} of {total:,} rows, {progress.rows_per_s:,.1f} rows/s{left} | "
        f"{states or 'none seen yet'} | {cost_text(progress)}"
    )


def cost_text(progress: LoadProgress) -> str:
    """Return calls, tokens and cost, named as simulated when they were."""
    status = progress.status
    label = SIMULATED if progress.simulated else ""
    tokens = status.input_tokens + status.output_tokens
    return f"{status.calls:,} calls, {tokens:,} tokens, ${status.cost_usd:,.4f}{label}"


def duration(seconds: float) -> str:
    """Return a duration as people say it, such as `2 h 05 min`."""
    minutes, rest_s = divmod(round(seconds), 60)
    hours, rest_minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {rest_minutes:02} min"
    return f"{minutes} min {rest_s:02} s" if minutes else f"{rest_s} s"


def closing_table(progress: LoadProgress, pages: str) -> Table:
    """Return the table that a load ends with: each row accounted for, what it cost, where its pages are."""
    status = progress.status
    table = Table("Load", status.batch.batch_id)
    table.add_row("Rows in", f"{status.batch.rows_total:,}")
    for outcome in Outcome:
        table.add_row(f"  {outcome.replace('_', '-')}", f"{status.states.get(outcome, 0):,}")
    table.add_row("  in review", f"{in_review(status):,}")
    table.add_row("Balance", _balance(status))
    table.add_section()
    table.add_row("Calls", f"{status.calls:,}")
    table.add_row("Tokens in, out", f"{status.input_tokens:,}, {status.output_tokens:,}")
    table.add_row("Cost", f"${status.cost_usd:,.4f}{SIMULATED if progress.simulated else ''}")
    if status.cache_hits:
        table.add_row("From the cache", f"{status.cache_hits:,} answers, ${status.saved_usd:,.4f} saved")
    table.add_row("Pages", pages)
    return table


def next_steps(status: BatchStatus) -> tuple[str, ...]:
    """Return what can be done now, a line each."""
    batch_id = status.batch.batch_id
    steps = [f"pressline results {batch_id}"]
    if not is_settled(status):
        steps.append(f"pressline watch {batch_id}")
    if in_review(status):
        steps.append("pressline review list")
    if status.states.get(Outcome.DEAD_LETTERED):
        steps.append("pressline dead-letters list")
    if status.states.get(Outcome.REJECTED):
        steps.append(f"pressline results {batch_id} --where outcome=rejected")
    return tuple(steps)


def status_table(loads: list[LoadProgress]) -> Table:
    """Return a row for each load."""
    table = Table("Load", "Made", "Recipe", "Rows", "Sent", "Under way", "In review", "Good", "Other", "Cost")
    for load in loads:
        status = load.status
        good = sum(status.states.get(outcome, 0) for outcome in (Outcome.PUBLISHED, Outcome.UNCHANGED))
        table.add_row(
            status.batch.batch_id,
            f"{status.created_at:%Y-%m-%d %H:%M}",
            one_line(status.batch.recipe_name),
            f"{status.batch.rows_total:,}",
            f"{status.rows_sent:,}",
            f"{_under_way(status):,}",
            f"{in_review(status):,}",
            f"{good:,}",
            f"{failed(status):,}",
            f"${status.cost_usd:,.4f}{SIMULATED if load.simulated else ''}",
        )
    return table


def is_good(status: BatchStatus) -> bool:
    """Return whether every row became a page or waits for a person, and the rows balance."""
    return not failed(status) and not imbalance(status)


def _balance(status: BatchStatus) -> str:
    missing = imbalance(status)
    if not missing:
        return "even: each row is accounted for"
    return f"{missing:,} rows are still under way" if missing > 0 else f"{-missing:,} outcomes too many"


def _under_way(status: BatchStatus) -> int:
    return sum(status.states.get(state, 0) for state in Progress if state is not Progress.IN_REVIEW)
