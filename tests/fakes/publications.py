"""Publication registry in memory."""

from processors.ports import Claimed, PageVersion, Recorded, SlugTaken
from schemas.base import Outcome


class FakePublications:
    """`decided` is by submission, `live` and `owners` by (site, slug).

    `claimed` and `released` are revisions.
    """

    def __init__(self) -> None:
        self.decided: dict[str, Recorded] = {}
        self.live: dict[tuple[str, str], Recorded] = {}
        self.owners: dict[tuple[str, str], str] = {}
        self.claimed: list[str] = []
        self.released: list[str] = []
        self.error: Exception | None = None

    async def claim(self, page: PageVersion) -> Recorded | Claimed | SlugTaken:
        if self.error is not None:
            raise self.error
        if decided := self.decided.get(page.task.submission_id):
            return decided
        place = (page.task.target.site, page.document.slug)
        owner = self.owners.setdefault(place, page.task.task_id)
        if owner != page.task.task_id:
            return SlugTaken(owner)
        live = self.live.get(place)
        if live is not None and live.content_hash == page.content_hash:
            unchanged = Recorded(outcome=Outcome.UNCHANGED, url=live.url, content_hash=live.content_hash)
            self.decided[page.task.submission_id] = unchanged
            return unchanged
        self.claimed.append(page.revision)
        return Claimed()

    async def release(self, page: PageVersion) -> None:
        if self.error is not None:
            raise self.error
        self.released.append(page.revision)

    async def complete(self, page: PageVersion, url: str) -> None:
        if self.error is not None:
            raise self.error
        recorded = Recorded(outcome=Outcome.PUBLISHED, url=url, content_hash=page.content_hash)
        self.decided[page.task.submission_id] = recorded
        self.live[page.task.target.site, page.document.slug] = recorded
