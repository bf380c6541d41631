"""Held pages for eyes and for programs."""

from collections.abc import Iterable

import orjson
from rich.table import Table
from rich.text import Text

from streams.cli.printable import one_line, printable
from streams.store.reviews import Review


def plain(review: Review) -> dict[str, object]:
    """Return what a list needs, for JSON; without the page."""
    held = review.held
    return {
        "submission_id": held.task.submission_id,
        "task_id": held.task.task_id,
        "batch_id": held.task.batch_id,
        "recipe": held.plan.recipe,
        "risk": held.plan.risk,
        "title": held.document.title,
        "score": held.score,
        "findings": [finding.model_dump(mode="json") for finding in held.findings],
        "reason": review.reason,
        "simulated": held.document.simulated,
        "requested_at": review.requested_at,
        "decided": None if review.decided is None else review.decided.model_dump(mode="json"),
    }


def plain_page(review: Review) -> dict[str, object]:
    """Return the same with the page, for JSON."""
    return {**plain(review), "document": review.held.document.model_dump(mode="json")}


def json_line(value: dict[str, object]) -> str:
    """Return the object as one line of JSON."""
    return orjson.dumps(value).decode()


def review_table(reviews: Iterable[Review]) -> Table:
    """Return held pages as a table."""
    table = Table("Id", "Title", "Recipe", "Score", "Why it waits", "Since")
    for review in reviews:
        held = review.held
        table.add_row(
            held.task.submission_id,
            Text(one_line(held.document.title)),
            held.plan.recipe,
            f"{held.score:.2f}",
            Text(one_line(review.reason)),
            f"{review.requested_at:%Y-%m-%d %H:%M:%SZ}",
        )
    return table


def review_text(review: Review) -> str:
    """Return one held page in full: why it waits, what the checks saw, the page's Markdown."""
    held = review.held
    findings = [f"  {found.severity} {found.check}: {one_line(found.message)}" for found in held.findings]
    lines = [
        f"task:     {held.task.task_id}, recipe {held.plan.recipe}, risk {held.plan.risk}",
        f"waits:    {one_line(review.reason)}",
        f"decision: {_decision(review)}",
        f"score:    {held.score:.2f}",
        "findings:" if findings else "findings: none",
        *findings,
        f"slug:     {held.document.slug}",
        f"title:    {one_line(held.document.title)}",
        f"about:    {one_line(held.document.description)}",
        *(["simulated: written by the simulated provider"] if held.document.simulated else []),
        "",
        held.document.body,
    ]
    return printable("\n".join(lines))


def _decision(review: Review) -> str:
    decided = review.decided
    if decided is None:
        return "none yet"
    word = "approved" if decided.approved else "rejected"
    why = f": {one_line(decided.reason)}" if decided.reason else ""
    return f"{word} by {decided.reviewer} on {decided.decided_at:%Y-%m-%d %H:%M:%SZ}{why}"
