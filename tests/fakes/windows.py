"""What any window of a minute saw of calls that were admitted."""

WINDOW_S = 60.0

Admissions = list[tuple[float, int]]
"""When, and how many units."""


def busiest_window(log: Admissions) -> int:
    """Most units in any window, its first instant in it and its last not."""
    log = sorted(log)
    most = inside = first = 0
    for at_s, units in log:
        inside += units
        while log[first][0] <= at_s - WINDOW_S:
            inside -= log[first][1]
            first += 1
        most = max(most, inside)
    return most
