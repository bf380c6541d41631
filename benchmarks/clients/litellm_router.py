"""LiteLLM's Router with one deployment."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would fetch its prices from the network

import caller
import litellm


async def open_client(job: caller.Job) -> caller.Ask:
    """Return the call."""
    params = {"model": f"openai/{caller.MODEL}", "api_base": job.url, "api_key": caller.KEY}
    router = litellm.Router(
        model_list=[{"model_name": caller.MODEL, "litellm_params": params}], num_retries=0, timeout=60.0
    )

    async def ask(_number: int) -> str:
        response = await router.acompletion(**caller.question())
        return str(response.choices[0].message.content)

    return ask


caller.main(open_client)
