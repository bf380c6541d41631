"""Stored values in memory."""

from schemas.claim_check import ClaimCheck
from streams.claim_checks import ClaimStore
from streams.store.claim_checks import SWEPT_MAX


class FakeClaimStore(ClaimStore):
    """`content` is by sha256, `expires_s` too; time is what the test says.

    Args:
        kept_s: seconds that a value is kept.
    """

    def __init__(self, kept_s: float = 60.0) -> None:
        self.content: dict[str, bytes] = {}
        self.expires_s: dict[str, float] = {}
        self.now_s = 0.0
        self.error: Exception | None = None
        self._kept_s = kept_s

    async def put(self, content: bytes) -> ClaimCheck:
        check = ClaimCheck.of(content)
        if not await self.keep(check):
            self.content[check.sha256] = content
            self.expires_s[check.sha256] = self.now_s + self._kept_s
        return check

    async def get(self, check: ClaimCheck) -> bytes | None:
        self._answer()
        content = self.content.get(check.sha256)
        return content if content is not None and len(content) == check.size_bytes else None

    async def keep(self, check: ClaimCheck) -> bool:
        self._answer()
        content = self.content.get(check.sha256)
        if content is None or ClaimCheck.of(content).sha256 != check.sha256:
            return False
        self.expires_s[check.sha256] = max(self.expires_s[check.sha256], self.now_s + self._kept_s)
        return True

    async def sweep(self) -> int:
        self._answer()
        expired = sorted(name for name, at_s in self.expires_s.items() if at_s < self.now_s)
        for name in expired[:SWEPT_MAX]:
            del self.content[name], self.expires_s[name]
        return len(expired[:SWEPT_MAX])

    def _answer(self) -> None:
        if self.error is not None:
            raise self.error
