"""Page index in memory: the first task that reserves a slug or title of a site keeps it."""

from collections.abc import Mapping

from schemas.task import Task


class FakePageIndex:
    """`owners` maps (site, field, text) to a task id; titles are compared without case or outer spaces."""

    def __init__(self) -> None:
        self.owners: dict[tuple[str, str, str], str] = {}
        self.error: Exception | None = None

    async def reserve(self, task: Task, slug: str, title: str) -> Mapping[str, str]:
        if self.error is not None:
            raise self.error
        keys = {
            "slug": (task.target.site, "slug", slug),
            "title": (task.target.site, "title", " ".join(title.casefold().split())),
        }
        owners = {field: self.owners.setdefault(key, task.task_id) for field, key in keys.items()}
        return {field: owner for field, owner in owners.items() if owner != task.task_id}
