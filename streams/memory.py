"""Free memory goes back to the operating system.

The C library keeps what is freed between chunks that are used. Of the heap of a worker under steady load,
10 MiB of 34 were free after 15 minutes and 12 of 36 after 30, while the used part stayed as it was; a trim
gave 11 MiB back at once.
"""

import asyncio
import ctypes
from collections.abc import Callable

TRIM_S = 60.0
"""A trim of 42 MB, half of them free, took 0.2 to 0.4 ms."""


def trimmer() -> Callable[[], object]:
    """Return what gives free memory back: glibc's `malloc_trim`, or nothing where the C library has none.

    Source: https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):
        return lambda: None
    return lambda: trim(0)


async def keep_trimmed(trim: Callable[[], object]) -> None:
    """Trim every TRIM_S seconds until cancelled."""
    while True:  # ends by cancellation only: the worker's life is its bound
        await asyncio.sleep(TRIM_S)
        trim()
