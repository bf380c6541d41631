"""OpenAI's own client, without its retries."""

import caller
import openai


async def open_client(job: caller.Job) -> caller.Ask:
    """Return the call."""
    client = openai.AsyncOpenAI(base_url=job.url, api_key=caller.KEY, max_retries=0, timeout=60.0)

    async def ask(_number: int) -> str:
        completion = await client.chat.completions.create(**caller.question())  # type: ignore[call-overload]
        return str(completion.choices[0].message.content)

    return ask


caller.main(open_client)
