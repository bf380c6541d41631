"""The pace of Python's garbage collector in a process with many records or requests in flight."""

import gc
from typing import Final

GC_THRESHOLDS: Final = (50_000, 20, 100)
"""New objects until a collection, and collections until one that looks further back. What is in flight lives
for seconds: walking it at Python's own pace (700, 10, 10) took 8 % of a worker's time, and freed nothing."""


def spare_collector() -> None:
    """Leave out what is there by now, such as modules, and collect the rest less often."""
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
