"""httpx by hand: a POST, and the answer's text."""

import caller
import httpx


async def open_client(job: caller.Job) -> caller.Ask:
    """Return the call."""
    limits = httpx.Limits(max_connections=job.in_flight, max_keepalive_connections=job.in_flight)
    client = httpx.AsyncClient(base_url=job.url, limits=limits, timeout=60.0, trust_env=False)

    async def ask(_number: int) -> str:
        response = await client.post("/chat/completions", json=caller.question())
        return str(response.raise_for_status().json()["choices"][0]["message"]["content"])

    return ask


caller.main(open_client)
