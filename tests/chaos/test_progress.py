"""A line of progress says how far the run is and which faults it has behind it."""

from collections import Counter

from chaos.progress import Progress


def test_a_line_counts_tasks_and_the_faults_that_are_healed() -> None:
    survived = Counter({"W1": 7, "K2": 2, "L1": 1, "S2": 1})
    progress = Progress(submitted=420, finished=300, committed=1200, survived=survived)

    assert progress.text(tasks=1000, took_s=31.4) == (
        "31 s, 420 submitted, 300/1000 finished, 1200 committed, "
        "survived 7 worker kill -9, 2 leader kill -9, 2 other faults"
    )
