"""Sizes of modules, and imports that do nothing."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "processors", "streams")
LINES_MAX = 300
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_fits_in_one_reading(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= LINES_MAX


def test_only_the_settings_read_the_environment() -> None:
    """Programs of their own, started by us as child processes, pass theirs on."""
    readers = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if any(word in path.read_text("utf-8") for word in ("os.environ", "os.getenv"))
    }

    assert readers == {"streams/settings.py"}
