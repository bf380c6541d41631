"""What is measured of the gateway: it and other clients of models, one call at a time and many."""

from dataclasses import dataclass

from benchmarks.plan import Case, Peer


@dataclass(frozen=True, slots=True, kw_only=True)
class Client(Peer):
    """One client of models; its script is in `clients`.

    Attributes:
        imports: the module whose import is timed.
        calls_alone: calls of a run that makes one after the other: some seconds' worth.
        calls_together: calls of a run with many in flight; at least twice as many as are in flight.
        disk: where its journal's PostgreSQL writes: `disk`, `memory`, or None without one.
    """

    imports: str
    calls_alone: int
    calls_together: int
    disk: str | None = None


BARE = "httpx_on_aiohttp"
"""The bare transport: what the gateway adds is reckoned from here, and it stands first in each round."""
OURS = "pressline_gateway"
NO_FLUSH = "pressline_no_flush"

CLIENTS = {
    client.name: client
    for client in (
        Client(
            name=BARE,
            title="httpx on aiohttp: the bare transport",
            requirements=None,
            imports="httpx_aiohttp",
            calls_alone=1500,
            calls_together=4000,
        ),
        Client(
            name=OURS,
            title="**Pressline's gateway**",
            requirements=None,
            imports="processors.gateway.gateway",
            calls_alone=300,
            calls_together=4000,
            disk="disk",
        ),
        Client(
            name=NO_FLUSH,
            title="the same, PostgreSQL's disk in memory",
            requirements=None,
            imports="streams.models",
            calls_alone=1000,
            calls_together=4000,
            disk="memory",
        ),
        Client(
            name="pressline_unjournaled",
            title="the same without PostgreSQL",
            requirements=None,
            imports="streams.models",
            calls_alone=1000,
            calls_together=4000,
        ),
        Client(
            name="bare_httpx",
            title="httpx",
            requirements=None,
            imports="httpx",
            calls_alone=1000,
            calls_together=1024,
        ),
        Client(
            name="openai_sdk",
            title="OpenAI's SDK",
            requirements="openai",
            imports="openai",
            calls_alone=1000,
            calls_together=1024,
        ),
        Client(
            name="any_llm_sdk",
            title="any-llm",
            requirements="any_llm",
            imports="any_llm",
            calls_alone=1000,
            calls_together=1024,
        ),
        Client(
            name="litellm_sdk",
            title="LiteLLM, `acompletion`",
            requirements="litellm",
            imports="litellm",
            calls_alone=400,
            calls_together=1024,
        ),
        Client(
            name="litellm_router",
            title="LiteLLM, Router",
            requirements="litellm",
            imports="litellm",
            calls_alone=400,
            calls_together=1024,
        ),
    )
}
PEERS_OF_GATEWAY = ("bare_httpx", "openai_sdk", "any_llm_sdk", "litellm_sdk", "litellm_router")
ALONE = "one call at a time"

CASES = tuple(
    Case(
        name=ALONE if in_flight == 1 else f"{in_flight} in flight",
        peer=client.name,
        records=client.calls_alone if in_flight == 1 else client.calls_together,
        in_flight=in_flight,
    )
    for in_flight in (1, 32, 512)
    for client in CLIENTS.values()
)
