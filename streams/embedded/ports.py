"""Free TCP ports on the loopback interface."""

import secrets
import socket
from collections.abc import Collection
from typing import Final

from streams.embedded.errors import EmbeddedError

LOOPBACK: Final = "127.0.0.1"
# Below the ranges from which Linux and macOS take the ports of outgoing connections: a remembered port
# is then still free at the next start.
PORT_FIRST: Final = 20_000
PORT_COUNT: Final = 10_000
PORT_TRIES_MAX: Final = 200


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set this too: a port whose last connections linger in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_answering(port: int, *, timeout_s: float) -> bool:
    """Tell whether something accepts connections on this loopback port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def choose(*, avoid: Collection[int] = ()) -> int:
    """Return a free loopback port.

    Args:
        avoid: ports promised to others that do not listen yet.

    Raises:
        EmbeddedError: none was found in PORT_TRIES_MAX tries.
    """
    for _ in range(PORT_TRIES_MAX):
        port = PORT_FIRST + secrets.randbelow(PORT_COUNT)
        if port not in avoid and is_free(port):
            return port
    raise EmbeddedError(
        f"no free port on {LOOPBACK} in {PORT_TRIES_MAX} tries between {PORT_FIRST} and "
        f"{PORT_FIRST + PORT_COUNT - 1}: stop programs that listen there"
    )
