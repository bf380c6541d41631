"""LiteLLM's `acompletion`."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch its prices from the network

import caller
import litellm


async def open_client(job: caller.Job) -> caller.Ask:
    """Return the call."""
    fixed = {"api_base": job.url, "api_key": caller.KEY, "max_retries": 0, "timeout": 60.0}

    async def ask(_number: int) -> str:
        question = caller.question() | {"model": f"openai/{caller.MODEL}"}
        response = await litellm.acompletion(**question, **fixed)
        return str(response.choices[0].message.content)

    return ask


caller.main(open_client)
