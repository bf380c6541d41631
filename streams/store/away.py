"""Which errors mean that PostgreSQL is away, and which are bugs."""

import re
from typing import Final

import asyncpg

AWAY_SQLSTATE_CLASSES: Final = {
    "08": "connection exception",
    "40": "transaction rollback: the server asks to try again",
    "53": "insufficient resources",
    "57": "operator intervention: shutdown, start-up, cancelled by a timeout",
    "58": "system error outside PostgreSQL",
}
"""Classes whose errors pass without a change on our side.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

AWAY_SQLSTATES: Final = {
    "25006": "read-only transaction: the server became a standby",
    "25P03": "idle-in-transaction timeout",
    "25P04": "transaction timeout",
    "55P03": "lock not available in time",
}

# asyncpg reports use of a lost connection and misuse of its own API with one class; only the text differs.
CLOSED_TEXTS: Final = ("connection is closed", "pool is clos")
# A connection that the server has just ended (states 1 to 4 of asyncpg's protocol) and that asyncpg has not
# noticed yet. Source: https://github.com/MagicStack/asyncpg/blob/master/asyncpg/protocol/coreproto.pxd
ENDING: Final = re.compile(r"another operation \([1-4]\) is in progress")


def is_away(error: BaseException) -> bool:
    """Tell whether the error says that the database cannot be used now.

    Args:
        error: what asyncpg, the socket layer or a timeout raised.

    Returns:
        False for everything else: wrong SQL, a violated constraint, a refused password, misuse of asyncpg.
    """
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state in AWAY_SQLSTATES or state[:2] in AWAY_SQLSTATE_CLASSES
    if isinstance(error, asyncpg.InterfaceError):
        return any(text in str(error) for text in CLOSED_TEXTS)
    # TimeoutError is an OSError: the pool's and the statement's deadlines arrive as one.
    if isinstance(error, OSError | asyncpg.TargetServerAttributeNotMatched):
        return True
    return isinstance(error, asyncpg.InternalClientError) and ENDING.search(str(error)) is not None
