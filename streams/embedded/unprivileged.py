"""Runs a program as an unprivileged account, which where needed may still pass through private folders.

PostgreSQL refuses to run as root, and a folder like root's home lets no other account through. Opening such
folders to everybody is not ours to do, so the program then keeps one capability of root's, to pass file
permissions, and loses the rest. Run as a script, it needs nothing but the standard library:

    python unprivileged.py UID GID pass|obey PROGRAM [ARGUMENT...]
"""

import ctypes
import os
import sys
from typing import Final

PASS: Final = "pass"  # noqa: S105 - to pass by, not a password
OBEY: Final = "obey"
EXIT_REFUSED: Final = 126
REFUSED: Final = "cannot be run as an unprivileged account that passes private folders"

# Linux's numbers, from linux/prctl.h and linux/capability.h.
_PR_SET_KEEPCAPS: Final = 8
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_RAISE: Final = 2
_CAP_DAC_OVERRIDE: Final = 1
_CAPABILITY_VERSION_3: Final = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def main(arguments: list[str]) -> None:
    """Become the account and run the program in this process's place.

    Args:
        arguments: user id, group id, `pass` or `obey` file permissions, program, its arguments.
    """
    user_id, group_id, permissions, *command = arguments
    try:
        _become(int(user_id), int(group_id), passing=permissions == PASS)
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted, and the command is ours
    except (OSError, AttributeError) as error:  # other systems' C libraries have no such functions
        sys.stderr.write(f"{command[0]}: {REFUSED} ({error})\n")
        sys.exit(EXIT_REFUSED)


def _become(user_id: int, group_id: int, *, passing: bool) -> None:
    os.setgroups([])
    os.setgid(group_id)
    if not passing:
        os.setuid(user_id)
        return
    library = ctypes.CDLL(None, use_errno=True)
    _check(library.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setuid(user_id)
    # Ambient is what outlives the execution of the program; it must be permitted and inheritable first.
    kept = 1 << _CAP_DAC_OVERRIDE
    sets = (_Sets * 2)(_Sets(kept, kept, kept), _Sets(0, 0, 0))
    _check(library.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), sets))
    _check(library.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main(sys.argv[1:])
