"""The same with aiohttp beneath httpx, which is what the gateway calls through."""

import caller
import httpx
from httpx_aiohttp import AiohttpTransport


async def open_client(job: caller.Job) -> caller.Ask:
    """Return the call."""
    limits = httpx.Limits(max_connections=job.in_flight, max_keepalive_connections=job.in_flight)
    client = httpx.AsyncClient(
        transport=AiohttpTransport(limits=limits, trust_env=False),
        base_url=job.url,
        timeout=60.0,
        trust_env=False,
    )

    async def ask(_number: int) -> str:
        response = await client.post("/chat/completions", json=caller.question())
        return str(response.raise_for_status().json()["choices"][0]["message"]["content"])

    return ask


caller.main(open_client)
