"""The shipped migrations."""

from streams.store.migrations import shipped


def test_shipped_versions_count_up_from_one_without_a_gap() -> None:
    assert [migration.version for migration in shipped()] == list(range(1, len(list(shipped())) + 1))
