"""The README's tables are the code's, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from streams.docs import TABLES, renewed
from streams.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")
WORDS_MAX = 1500


def test_tables_are_what_the_code_says() -> None:
    assert renewed(README) == README, "run python -m streams.docs"


@pytest.mark.parametrize("name", TABLES)
def test_every_table_stands_in_it_once(name: str) -> None:
    assert README.count(f"<!-- table {name} -->") == 1


def test_every_metric_is_in_the_table() -> None:
    source = (ROOT / "streams" / "telemetry.py").read_text("utf-8")

    assert set(re.findall(r'"(pressline_\w+)"', source)) == set(re.findall(r"`(pressline_\w+)`", README))


@pytest.mark.parametrize("link", sorted(set(LINK.findall(README))))
def test_every_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).exists()


def test_every_setting_that_is_named_exists() -> None:
    known = {f"PRESSLINE_{name.upper()}" for name in Settings.model_fields}

    assert set(re.findall(r"PRESSLINE_[A-Z_]+", README)) <= known


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))

    assert set(re.findall(r"`make ([a-z]+)", README)) <= targets


def test_it_can_be_read_in_one_sitting() -> None:
    prose = "\n".join(
        line for line in re.sub(r"```.*?```", "", README, flags=re.DOTALL).splitlines() if "|" not in line
    )

    assert len(prose.split()) <= WORDS_MAX
