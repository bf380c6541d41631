"""Sink in memory, with the log that the files sink writes."""

from processors.ports import PageVersion, PublishedPage


class FakeSink:
    """`pages` maps (site, slug) to what is in place; `log` has a (revision, effect) for each finished call.

    `error` is raised before anything is done, `crash` between the effect and its log line.
    """

    def __init__(self) -> None:
        self.pages: dict[tuple[str, str], PageVersion] = {}
        self.log: list[tuple[str, bool]] = []
        self.error: Exception | None = None
        self.crash: BaseException | None = None

    async def publish(self, page: PageVersion) -> PublishedPage:
        if self.error is not None:
            raise self.error
        place = (page.task.target.site, page.document.slug)
        before = self.pages.get(place)
        effect = before is None or _identity(before) != _identity(page)
        self.pages[place] = page
        if self.crash is not None:
            raise self.crash
        self.log.append((page.revision, effect))
        return PublishedPage(url="https://{}.example/{}".format(*place), effect=effect)


def _identity(page: PageVersion) -> tuple[str, str]:
    return (page.revision, page.content_hash)
