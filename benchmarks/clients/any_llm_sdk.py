"""any-llm's client of OpenAI's format."""

import any_llm
import caller


async def open_client(job: caller.Job) -> caller.Ask:
    """Return the call."""
    client = any_llm.AnyLLM.create("openai", api_key=caller.KEY, api_base=job.url)

    async def ask(_number: int) -> str:
        completion = await client.acompletion(**caller.question())
        return str(completion.choices[0].message.content)

    return ask


caller.main(open_client)
