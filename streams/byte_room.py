"""A bound on bytes that are held at once, for whoever needs them in one piece."""

import asyncio
from collections import deque


class ByteRoom:
    """Bytes are taken before they are loaded, in the order of asking, and given back when they are done with.

    Args:
        bytes_max: most bytes held at once; what is larger by itself is held alone.

    Attributes:
        held_bytes: how many are held now.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.held_bytes = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, size: int) -> None:
        """Wait until `size` bytes fit, and hold them."""
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((size, turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._serve()
            else:
                self.give(size)
            raise

    def give(self, size: int) -> None:
        """Give back what was taken."""
        self.held_bytes -= size
        self._serve()

    def _serve(self) -> None:
        while self._queue:
            size, turn = self._queue[0]
            if not turn.cancelled():
                if self.held_bytes and self.held_bytes + size > self._bytes_max:
                    return
                self.held_bytes += size
                turn.set_result(None)
            self._queue.popleft()
