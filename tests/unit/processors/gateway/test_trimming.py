"""Parts are trimmed by rule: by priority, no more than is needed, never those that must stay."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.prompt_part import a_part
from processors.gateway.tokens import estimate
from processors.gateway.trimming import MARK, trimmed
from processors.prompt import PromptPart
from schemas.recipe import Trim

TEXTS = st.text(st.sampled_from("ab ,.\n東🙂\u0301"), min_size=1, max_size=200)
PARTS = st.lists(
    st.builds(
        PromptPart,
        name=st.sampled_from("abcdef"),
        text=TEXTS.map(str.strip).filter(bool),
        priority=st.integers(0, 3),
        trim=st.sampled_from(Trim),
        stable=st.booleans(),
    ).flatmap(
        lambda part: st.builds(
            replace, st.just(part), tokens_max=st.none() if part.trim is Trim.NONE else st.integers(1, 40)
        )
    ),
    min_size=2,
    max_size=5,
).map(tuple)
SHARE = st.floats(0, 1.1)
"""Which share of all tokens is too much."""
QUICK = settings(max_examples=40, deadline=None)


def over_of(parts: tuple[PromptPart, ...], share: float) -> int:
    return int(share * sum(estimate(part.text) for part in trimmed(parts, 0, estimate)))


def order(parts: tuple[PromptPart, ...]) -> list[int]:
    """Which may be trimmed, the first to go first."""
    indexes = [index for index, part in enumerate(parts) if part.trim is not Trim.NONE]
    return sorted(indexes, key=lambda index: (parts[index].priority, -index))


def saved(before: tuple[PromptPart, ...], after: tuple[PromptPart, ...]) -> int:
    return sum(estimate(b.text) for b in before) - sum(estimate(a.text) for a in after)


@QUICK
@given(PARTS, SHARE)
def test_what_must_stay_whole_stays_whole(parts: tuple[PromptPart, ...], share: float) -> None:
    kept = trimmed(parts, over_of(parts, share), estimate)

    assert [part for part in kept if part.trim is Trim.NONE] == [
        part for part in parts if part.trim is Trim.NONE
    ]


@QUICK
@given(PARTS)
def test_each_part_is_within_its_own_bound_and_else_untouched(parts: tuple[PromptPart, ...]) -> None:
    kept = trimmed(parts, 0, estimate)

    for part, left in zip(parts, kept, strict=True):
        bound = part.tokens_max
        assert bound is None or estimate(left.text) <= bound
        if bound is None or estimate(part.text) <= bound:
            assert left == part


@QUICK
@given(PARTS, SHARE)
def test_a_part_is_touched_only_when_all_before_it_are_gone(
    parts: tuple[PromptPart, ...], share: float
) -> None:
    bounded = trimmed(parts, 0, estimate)

    kept = trimmed(parts, over_of(parts, share), estimate)

    touched = [index for index in order(parts) if kept[index] != bounded[index]]
    had_text = [index for index in order(parts) if bounded[index].text]
    assert touched == had_text[: len(touched)]
    assert all(kept[index].text == "" for index in touched[:-1])


@QUICK
@given(PARTS, SHARE)
def test_enough_goes_or_all_that_may_and_the_last_one_was_needed(
    parts: tuple[PromptPart, ...], share: float
) -> None:
    over = over_of(parts, share)
    bounded, kept = trimmed(parts, 0, estimate), trimmed(parts, over, estimate)
    touched = [index for index in order(parts) if kept[index] != bounded[index]]

    if any(kept[index].text for index in order(parts)):
        separators = sum(1 for index in touched if not kept[index].text)
        assert saved(bounded, kept) + separators >= over
    if touched:
        spared = tuple(bounded[i] if i == touched[-1] else kept[i] for i in range(len(parts)))
        assert saved(bounded, spared) + len(touched) - 1 < over


@QUICK
@given(PARTS, SHARE)
def test_a_cut_is_marked_and_what_is_left_stood_there_before(
    parts: tuple[PromptPart, ...], share: float
) -> None:
    for part, left in zip(parts, trimmed(parts, over_of(parts, share), estimate), strict=True):
        if left.text not in {part.text, ""}:
            head, mark, tail = left.text.rpartition(MARK)
            assert mark
            assert part.text.startswith(head.rstrip()) or part.trim is Trim.HEAD
            assert part.text.endswith(tail.lstrip()) or part.trim is Trim.TAIL
            left.text.encode()  # no half of a character


@pytest.mark.parametrize(
    ("trim", "left"),
    [
        (Trim.TAIL, "one two [...]"),
        (Trim.HEAD, "[...] nine ten"),
        (Trim.MIDDLE, "one [...] ten"),
        (Trim.DROP, ""),
        (Trim.NONE, "one two three four five six seven eight nine ten"),
    ],
)
def test_the_rule_says_what_goes_first(trim: Trim, left: str) -> None:
    part = a_part(text="one two three four five six seven eight nine ten", trim=trim)

    (kept,) = trimmed((part,), estimate(part.text) - 4, estimate)

    assert kept.text == left


def test_a_script_without_spaces_is_cut_where_it_is() -> None:
    (kept,) = trimmed((a_part(text="東京は日本の首都です" * 20, trim=Trim.TAIL, tokens_max=30),), 0, estimate)

    assert kept.text.startswith("東京は日本の首都です東京")
    assert 25 <= estimate(kept.text) <= 30


def test_nothing_is_left_where_there_is_room_for_the_mark_alone() -> None:
    (kept,) = trimmed((a_part(text="one two three", trim=Trim.HEAD, tokens_max=1),), 0, estimate)

    assert kept.text == ""
