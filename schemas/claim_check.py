"""Claim Check: what travels in place of a value that is too large for its topic.

The value itself is in the table `claim_checks`, under the sha256 of its bytes.
Source: https://www.enterpriseintegrationpatterns.com/patterns/messaging/StoreInLibrary.html
"""

import hashlib
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from schemas.base import Message

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ClaimCheck(Message):
    """A reference to bytes. Header `claim-check: pressline.claim.v1` says that the value is one."""

    sha256: Sha256 = Field(description="Of the bytes: 64 hex digits, lower case.")
    size_bytes: int = Field(ge=0, description="How many bytes they are.")

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return the reference to `content`."""
        return cls(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
