"""A prompt of parts fits the model that is asked, or is not sent; counted exactly or estimated."""

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.model_request import a_request
from fakes.prompt_part import a_part, a_parted_request
from processors.errors import PromptTooLongError
from processors.gateway import assembly, context, tokens
from processors.gateway.assembly import assembled
from processors.gateway.context import exact, input_tokens
from processors.gateway.trimming import MARK, Count
from processors.model import ChatMessage, ModelRequest
from processors.prompt import PromptPart
from schemas.recipe import Trim

RULES = a_part("rules", text="Write a short page. " * 20, stable=True)
EXAMPLES = a_part("examples", text="An example page. " * 200, priority=1, trim=Trim.DROP, stable=True)
NOTES = a_part("notes", text="A note of the row. " * 400, priority=2, trim=Trim.TAIL)
ROW = a_part("row", text="Paris, France")
REQUEST = a_parted_request(RULES, EXAMPLES, NOTES, ROW, output_tokens_max=500)

# BPE is not additive: words, digits, punctuation and line ends that join across parts.
PIECES = st.sampled_from(["word ", "a", "12", ".", "\n", " ", "'s", "Straße ", "東京", "🙂", "(", "\u0301"])
PARTS = st.lists(
    st.builds(
        PromptPart,
        name=st.sampled_from("abc"),
        text=st.lists(PIECES, min_size=1, max_size=60).map("".join).map(str.strip).filter(bool),
        priority=st.integers(0, 2),
        trim=st.sampled_from(Trim),
        stable=st.booleans(),
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: tuple(sorted(parts, key=lambda part: not part.stable)))


@pytest.fixture
def estimating(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "find_spec", lambda _name: None)


def user(request: ModelRequest) -> ChatMessage:
    return next(message for message in request.messages if message.role == "user")


@pytest.mark.parametrize("count", [exact, tokens.estimate])
@settings(max_examples=80, deadline=None)
@given(parts=PARTS, room=st.integers(0, 250))
def test_a_prompt_fits_beside_its_answer_or_is_refused(
    count: Count, parts: tuple[PromptPart, ...], room: int
) -> None:
    request = a_parted_request(*parts, output_tokens_max=1_000)
    message = user(request)
    least = [part for part in parts if part.trim is Trim.NONE]

    try:
        fitted, names = assembly._fitted(request, message, room, count)
    except PromptTooLongError:
        alone = assembly._with(request, message, least)
        assert input_tokens(alone, count) > room or not least
        return

    assert input_tokens(fitted, count) <= room
    assert all(part.text in user(fitted).content for part in least)
    assert names == () or input_tokens(request, count) > room
    assert assembly._fitted(fitted, user(fitted), room, count) == (fitted, names)


async def test_the_lowest_priority_goes_first_and_is_named() -> None:
    whole, nothing = await assembled(REQUEST, 10_000)
    less, examples = await assembled(REQUEST, input_tokens(whole) + 500 - 10)
    least, both = await assembled(REQUEST, 1_000)

    assert (nothing, examples, both) == ((), ("examples",), ("examples", "notes"))
    assert "An example" in user(whole).content
    assert "An example" not in user(less).content
    assert NOTES.text in user(less).content
    assert user(least).content.endswith(f"A note of the row. A {MARK}\n\n{ROW.text}")
    assert 495 <= input_tokens(least) <= 500


async def test_the_stable_beginning_is_told_from_the_rest() -> None:
    whole, _ = await assembled(REQUEST, 10_000)

    content, chars = user(whole).content, user(whole).stable_chars

    assert content[:chars] == f"{RULES.text}\n\n{EXAMPLES.text}"
    assert content[chars:] == f"\n\n{NOTES.text}\n\n{ROW.text}"


async def test_a_larger_model_gets_back_what_a_smaller_one_did_not() -> None:
    small, trimmed = await assembled(REQUEST, 1_000)
    assert trimmed

    assert await assembled(small, 10_000) == await assembled(REQUEST, 10_000)


async def test_a_part_is_bounded_by_its_own_limit_in_the_widest_window() -> None:
    bounded = a_part("notes", text=NOTES.text, trim=Trim.HEAD, tokens_max=50)

    fitted, names = await assembled(a_parted_request(bounded, ROW), 1_000_000)

    assert names == ("notes",)
    content = user(fitted).content.removesuffix(f"\n\n{ROW.text}")
    assert 45 <= exact(content) <= 50
    assert content.startswith(MARK)


async def test_what_may_not_be_trimmed_and_is_too_long_is_refused_with_the_numbers_and_a_remedy() -> None:
    with pytest.raises(PromptTooLongError) as raised:
        await assembled(REQUEST, 550)

    said = str(raised.value)
    assert f"'rules' {exact(RULES.text)}, 'row' {exact(ROW.text)}" in said
    assert "o200k_base" in said
    assert "Expected at most 50 in all, which 'gpt-5-nano' has beside 500 for the answer" in said
    assert "set trim on a part" in said
    assert "Paris" not in said


async def test_a_prompt_of_which_nothing_would_be_left_is_refused() -> None:
    with pytest.raises(PromptTooLongError, match=r"never trimmed have these input tokens .*: none"):
        await assembled(a_parted_request(EXAMPLES), 1_020)


@pytest.mark.usefixtures("estimating")
async def test_without_the_extra_tokens_are_estimated_and_the_error_says_so() -> None:
    fitted, names = await assembled(REQUEST, 1_000)
    assert names == ("examples", "notes")
    assert input_tokens(fitted, tokens.estimate) <= 500

    with pytest.raises(PromptTooLongError, match="estimated; the extra `tokens` counts"):
        await assembled(REQUEST, 550)


def test_an_estimate_is_a_quarter_of_the_letters_and_an_exact_count_is_the_vocabularys() -> None:
    text = "tiktoken is great!"

    assert (exact(text), tokens.estimate(text)) == (6, 5)


async def test_what_surely_fits_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_text: str) -> int:
        raise AssertionError("counted")

    monkeypatch.setattr(assembly, "exact", never)

    assert (await assembled(REQUEST, 100_000))[1] == ()


async def test_a_long_text_is_counted_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counting thread waits for the loop: were they one, it would wait for ever."""
    moved_on = threading.Event()

    def patient(text: str) -> int:
        if not moved_on.wait(5):
            raise AssertionError("the event loop stood still")
        return tokens.estimate(text)

    monkeypatch.setattr(assembly, "exact", patient)
    running = asyncio.ensure_future(assembled(REQUEST, 1_000))
    for _ in range(5):
        await asyncio.sleep(0)
    moved_on.set()

    assert (await running)[1] == ("examples", "notes")


async def test_a_prompt_of_one_text_is_left_as_it_is() -> None:
    request = a_request()

    assert await assembled(request, 10) == (request, ())
