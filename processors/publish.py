"""Stage publish: an approved page in, its end out."""

import hashlib

from processors.errors import InvalidRecipeError, ProcessingError
from processors.ports import PageVersion, Ports, Recorded, Sink, SlugTaken
from schemas.base import Outcome, Stage
from schemas.codec import canonical
from schemas.events import Document, TaskFinished, TaskValidated


async def publish(event: TaskValidated, ports: Ports) -> TaskFinished:
    """Put the page in place once, and say how the task ended.

    The publication registry is written around the sink call: a crash between the two leaves a claim, whose
    next holder calls the sink again, and the sink changes nothing for a revision that is in place. So one
    revision has one effect.

    A page whose deadline has passed ends as `expired` though it is paid for: the sender said that it is of no
    use then, as with an offer that has ended. The registry is asked first: a redelivered page that was
    published in time stays published.

    Raises:
        UnknownRecipeError, StoreUnavailableError, ClaimedElsewhereError: from recipe book and registry.
        InvalidRecipeError: this worker has no such sink as the recipe names.
        SinkUnavailableError, SinkRejectedError: from the sink.
    """
    sink = await _sink(event, ports)
    page = PageVersion(
        task=event.task,
        revision=event.plan.revision,
        document=event.document,
        content_hash=content_hash(event.document),
    )
    claim = await ports.publications.claim(page)
    if isinstance(claim, Recorded):
        return _finished(event, claim.outcome, url=claim.url, content_hash=claim.content_hash)
    if isinstance(claim, SlugTaken):
        reason = f"the slug {page.document.slug!r} belongs to task {claim.owner!r} on this site"
        return _finished(event, Outcome.REJECTED, reason=reason)
    if event.task.expired(ports.clock.now()):
        await ports.publications.release(page)
        reason = f"the deadline {event.task.deadline} passed before the page was published"
        return _finished(event, Outcome.EXPIRED, reason=reason)
    try:
        published = await sink.publish(page)
    except ProcessingError:
        await ports.publications.release(page)
        raise
    await ports.publications.complete(page, published.url)
    return _finished(event, Outcome.PUBLISHED, url=published.url, content_hash=page.content_hash)


def content_hash(document: Document) -> str:
    """Return the sha256, in 64 hex digits, of what a reader can see: slug, title, description, body, data."""
    fields = ("slug", "title", "description", "body", "data")
    return hashlib.sha256(canonical({field: getattr(document, field) for field in fields})).hexdigest()


async def _sink(event: TaskValidated, ports: Ports) -> Sink:
    recipe = await ports.recipes.get(event.plan.recipe)
    name = recipe.recipe.sink
    if name not in ports.sinks:
        known = ", ".join(sorted(ports.sinks)) or "none"
        raise InvalidRecipeError(f"recipe {recipe.ref} names sink {name!r}, this worker has {known}")
    return ports.sinks[name]


def _finished(
    event: TaskValidated,
    outcome: Outcome,
    *,
    reason: str = "",
    url: str | None = None,
    content_hash: str | None = None,
) -> TaskFinished:
    return TaskFinished(
        task=event.task,
        outcome=outcome,
        stage=Stage.PUBLISH,
        reason=reason,
        title=event.document.title,
        url=url,
        content_hash=content_hash,
        score=event.score,
        findings=event.findings,
        spend=event.spend,
    )
