"""The version of a recipe: a digest of its files."""

import hashlib
from collections.abc import Mapping

VERSION_CHARS = 12


def content_version(files: Mapping[str, bytes]) -> str:
    """Return VERSION_CHARS hex digits over the files' names and content."""
    digest = hashlib.sha256()
    for name in sorted(files):
        # With the lengths in front, no two sets of files give the same bytes.
        digest.update(f"{len(name)}:{name}:{len(files[name])}:".encode() + files[name])
    return digest.hexdigest()[:VERSION_CHARS]
