"""Requests that begin alike get one key, or few; providers that take none get none."""

from collections import Counter

from fakes.model_request import a_request
from processors.gateway.prompt_cache_key import KEY_CHARS, KEYS_MAX, prompt_cache_key
from schemas.catalogue import LimitRules, ProviderRules


def a_provider(requests_per_minute: int | None = None, *, takes: bool = True) -> ProviderRules:
    limits = LimitRules(requests_per_minute=requests_per_minute)
    return ProviderRules(name="openai", base_url="https://p.test/v1", limits=limits, prompt_cache_key=takes)


def keys(requests_per_minute: int | None) -> Counter[str | None]:
    provider = a_provider(requests_per_minute)
    return Counter(prompt_cache_key(a_request(revision=f"row-{n}"), provider) for n in range(3_000))


def test_rows_of_one_step_share_a_key_and_steps_and_recipes_do_not() -> None:
    provider = a_provider()
    key = prompt_cache_key(a_request(), provider)

    assert key == prompt_cache_key(a_request(revision="another row", step="round-1/write/repair-1"), provider)
    others = {
        prompt_cache_key(a_request(schema_name="outline"), provider),
        prompt_cache_key(a_request(recipe="note@0123456789ab"), provider),
    }
    assert key is not None
    assert len(key) == KEY_CHARS
    assert len({key, *others}) == 3


def test_a_busy_prompt_is_spread_over_the_keys_that_it_may_fill() -> None:
    found = keys(150)

    assert len(found) == 10
    assert max(found.values()) < 1.5 * min(found.values())
    assert len(keys(1_000_000)) == KEYS_MAX


def test_a_provider_that_takes_no_key_gets_none() -> None:
    assert prompt_cache_key(a_request(), a_provider(takes=False)) is None
