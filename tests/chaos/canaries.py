"""Secrets and prompt texts that must not be seen where operators look: logs, metrics, headers."""

from collections.abc import Iterable, Iterator
from pathlib import Path

CANARY_CITY = "Zwitscherburg an der Kanarie"
"""Stands in the inputs of some tasks, so in prompts, and in pages, where it belongs."""


def find(folder: Path, canaries: Iterable[str]) -> Iterator[str]:
    """Yield each file of a folder that holds a canary, and which line; never the canary itself.

    Args:
        folder: its `*.log` and `*.metrics` files are read.
        canaries: what to look for.
    """
    searched = [canary.encode() for canary in canaries]
    for path in sorted((*folder.glob("*.log*"), *folder.glob("*.metrics"))):
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            if any(canary in line for canary in searched):
                yield f"{path.name}:{number}"
