"""The simulated provider as callers meet it: its own process, real HTTP, the shapes of OpenAI's API."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import orjson
import pytest

START_S_MAX = 15.0
STOP_S_MAX = 1.0
POLL_S = 0.02
ROOT = Path(__file__).parents[2]

SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 60},
        "slug": {"type": "string", "pattern": "^[a-z0-9-]+$"},
        "body_markdown": {"type": "string", "minLength": 800},
    },
    "required": ["title", "slug", "body_markdown"],
    "additionalProperties": False,
}
REQUEST_KEYS = {
    "event",
    "time",
    "monotonic",
    "request_id",
    "format",
    "model",
    "call",
    "task",
    "body_sha256",
    "seen",
    "tokens_in",
    "tokens_out",
    "tokens_charged",
    "fault",
    "limited_by",
    "retry_after_s",
    "status",
    "latency_s",
}
ANSWERED_KEYS = {"event", "time", "monotonic", "request_id", "status", "outcome"}


class Provider:
    """A provider in a process of its own."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.log_path = folder / "provider.jsonl"
        config = folder / "provider.json"
        config.write_bytes(orjson.dumps(settings))
        command = [sys.executable, "-m", "streams.embedded.provider", "--port", "0", "--seed", "7"]
        self.process = subprocess.Popen(  # noqa: S603 - our own module
            [*command, "--log", str(self.log_path), "--config", str(config)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        self.url = orjson.loads(self.process.stdout.readline())["url"]

    def lines(self, event: str) -> list[dict[str, Any]]:
        read = [orjson.loads(line) for line in self.log_path.read_bytes().splitlines()]
        return [line for line in read if line["event"] == event]

    def post(self, content: Any = None, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(
            f"{self.url}/v1/chat/completions", json=content or body(), headers=named, timeout=10
        )

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


StartProvider = Callable[..., Provider]
QUICK = {"defaults": {"latency": {"kind": "fixed", "seconds": 0.0}, "hang_s": 0.2, "retry_after_s": 1.5}}


def body(model: str = "simulated-small", **fields: Any) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": "You write pages."},
            {"role": "user", "content": "FACTS\n- name: Astoria\n- city: Vienna\n- rooms: 45\nEND FACTS"},
        ],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "page", "strict": True, "schema": SCHEMA},
        },
        **fields,
    }


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartProvider]:
    started: list[Provider] = []

    def start_one(**settings: Any) -> Provider:
        started.append(Provider(tmp_path, {**QUICK, **settings}))
        return started[-1]

    yield start_one
    for provider in started:
        provider.stop()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    provider = Provider(tmp_path_factory.mktemp("shared"), QUICK)
    yield provider
    provider.stop()


def test_health_and_models_say_that_they_are_simulated(shared: Provider) -> None:
    assert httpx.get(f"{shared.url}/healthz").json() == {"status": "ok", "simulated": True}
    models = httpx.get(f"{shared.url}/v1/models").json()
    assert models["object"] == "list"
    assert "simulated-small" in {model["id"] for model in models["data"]}


def test_an_answer_has_the_shape_of_a_chat_completion(shared: Provider) -> None:
    response = shared.post()

    completion = response.json()
    assert response.status_code == 200
    assert response.headers["x-pressline-simulated"] == "true"
    assert response.headers["content-type"].startswith("application/json")
    assert completion.keys() == {
        "id",
        "object",
        "created",
        "model",
        "choices",
        "usage",
        "service_tier",
        "system_fingerprint",
    }
    assert completion["id"].startswith("chatcmpl-sim-")
    assert completion["object"] == "chat.completion"
    assert completion["system_fingerprint"] == "pressline-simulated"


def test_choices_and_usage_have_the_recorded_keys(shared: Provider) -> None:
    completion = shared.post().json()

    choice, usage = completion["choices"][0], completion["usage"]
    assert choice.keys() == {"index", "message", "logprobs", "finish_reason"}
    assert choice["finish_reason"] == "stop"
    assert choice["message"].keys() == {"role", "content", "refusal", "annotations"}
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0, "audio_tokens": 0}
    assert usage["completion_tokens_details"].keys() == {
        "reasoning_tokens",
        "audio_tokens",
        "accepted_prediction_tokens",
        "rejected_prediction_tokens",
    }
    content = choice["message"]["content"]
    assert usage["completion_tokens"] == -(-len(content.encode()) // 4)
    jsonschema_rs.validate(SCHEMA, orjson.loads(content))


def test_the_same_request_gets_the_same_content(shared: Provider) -> None:
    contents = {shared.post().json()["choices"][0]["message"]["content"] for _ in range(3)}

    assert len(contents) == 1


@pytest.mark.parametrize(("fault", "status"), [("http_429", 429), ("http_500", 500), ("http_503", 503)])
def test_injected_errors_have_the_error_shape(shared: Provider, fault: str, status: int) -> None:
    response = shared.post(x_pressline_simulate_fault=fault)

    assert response.status_code == status
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}
    assert response.headers.get("retry-after") == ("2" if status == 429 else None)


@pytest.mark.parametrize("fault", ["timeout", "truncated_body"])
def test_broken_connections_break(shared: Provider, fault: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        shared.post(x_pressline_simulate_fault=fault)


def test_a_timeout_is_held_before_the_connection_closes(shared: Provider) -> None:
    before = time.monotonic()

    with pytest.raises(httpx.RemoteProtocolError):
        shared.post(x_pressline_simulate_fault="timeout")

    assert time.monotonic() - before >= 0.2


def test_a_malformed_body_is_not_json(shared: Provider) -> None:
    response = shared.post(x_pressline_simulate_fault="malformed")

    assert response.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        response.json()


def test_truncated_content_ends_by_length(shared: Provider) -> None:
    choice = shared.post(x_pressline_simulate_fault="truncated_content").json()["choices"][0]

    assert choice["finish_reason"] == "length"
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(choice["message"]["content"])


def test_a_wrong_schema_answer_lacks_a_property(shared: Provider) -> None:
    choice = shared.post(x_pressline_simulate_fault="wrong_schema").json()["choices"][0]

    document = orjson.loads(choice["message"]["content"])
    assert len({"title", "slug", "body_markdown"} - document.keys()) == 1


def test_nonsense_fits_the_schema_but_not_the_facts(shared: Provider) -> None:
    choice = shared.post(x_pressline_simulate_fault="nonsense").json()["choices"][0]

    document = orjson.loads(choice["message"]["content"])
    jsonschema_rs.validate(SCHEMA, document)
    assert "Astoria" not in choice["message"]["content"]


def test_a_refusal_stands_in_message_refusal(shared: Provider) -> None:
    message = shared.post(x_pressline_simulate_fault="refusal").json()["choices"][0]["message"]

    assert message["content"] is None
    assert message["refusal"]


def test_usage_can_be_missing(shared: Provider) -> None:
    completion = shared.post(x_pressline_simulate_fault="missing_usage").json()

    assert "usage" not in completion
    assert completion["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"model": "m"}, "messages must be"),
        (
            body(response_format={"type": "json_schema", "json_schema": {"schema": {"type": "x"}}}),
            "Invalid schema for response_format",
        ),
    ],
)
def test_requests_at_fault_are_explained(shared: Provider, content: dict[str, Any], complaint: str) -> None:
    response = shared.post(content)

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert complaint in response.json()["error"]["message"]


def test_an_unknown_path_is_explained(shared: Provider) -> None:
    response = httpx.post(f"{shared.url}/chat/completions", json=body())

    assert response.status_code == 404
    assert "POST /v1/chat/completions" in response.json()["error"]["message"]


def test_headers_that_are_not_text_do_no_harm(shared: Provider) -> None:
    response = httpx.post(
        f"{shared.url}/v1/chat/completions", json=body(), headers={b"x-pressline-call": b"\xff\xfe"}
    )

    assert response.status_code == 200


def test_an_unknown_forced_fault_is_explained(shared: Provider) -> None:
    response = shared.post(x_pressline_simulate_fault="http_418")

    assert response.status_code == 400
    assert "missing_usage" in response.json()["error"]["message"]


def test_output_is_cut_at_max_completion_tokens(shared: Provider) -> None:
    completion = shared.post(body(max_completion_tokens=20)).json()

    assert completion["choices"][0]["finish_reason"] == "length"
    assert completion["usage"]["completion_tokens"] <= 20


def test_a_wrong_key_is_refused_in_the_error_shape(start: StartProvider) -> None:
    provider = start(api_key="secret-of-the-test")

    wrong, missing = provider.post(authorization="Bearer other"), provider.post()
    right = provider.post(authorization="Bearer secret-of-the-test")

    assert (wrong.status_code, missing.status_code, right.status_code) == (401, 401, 200)
    assert wrong.json()["error"]["code"] == "invalid_api_key"
    assert len(provider.lines("request")) == 3


def test_behaviour_can_be_exchanged_while_it_runs(start: StartProvider) -> None:
    provider = start()
    stormy = {"faults": {"http_429": 1.0}, "retry_after_s": None}

    assert httpx.put(f"{provider.url}/simulated/defaults", json=stormy).status_code == 200
    refused = provider.post()
    assert httpx.put(f"{provider.url}/simulated/defaults", json=QUICK["defaults"]).status_code == 200
    answered = provider.post()

    assert (refused.status_code, answered.status_code) == (429, 200)
    assert "retry-after" not in refused.headers
    assert httpx.put(f"{provider.url}/simulated/defaults", json={"no": "field"}).status_code == 400


def test_unknown_models_can_be_refused(start: StartProvider) -> None:
    provider = start(unknown_models="refuse")

    response = provider.post(body("gpt-none"))

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"


async def test_no_window_holds_more_requests_than_the_limit(start: StartProvider) -> None:
    window_s, limit = 0.5, 10
    quick = {**QUICK["defaults"], "limits": {"requests_per_minute": limit}}
    provider = start(defaults=quick, window_s=window_s)

    async with httpx.AsyncClient(base_url=provider.url) as client:
        answers = []
        for _ in range(40):
            batch = [client.post("/v1/chat/completions", json=body()) for _ in range(5)]
            answers += await asyncio.gather(*batch)
            await asyncio.sleep(0.03)

    admitted = [line["monotonic"] for line in provider.lines("request") if line["limited_by"] is None]
    held = [sum(end - window_s < at <= end for at in admitted) for end in admitted]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert max(held) == limit
    assert len(admitted) + len(refused) == 200
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert {answer.headers["x-ratelimit-remaining-requests"] for answer in refused} == {"0"}
    assert all(answer.headers["x-ratelimit-limit-requests"] == str(limit) for answer in answers)
    assert all(answer.headers["x-ratelimit-reset-requests"].endswith("ms") for answer in answers)


def test_tokens_are_counted_with_the_maximum_output(start: StartProvider) -> None:
    provider = start(defaults={**QUICK["defaults"], "limits": {"tokens_per_minute": 1_000}})

    first = provider.post(body(max_completion_tokens=600))
    second = provider.post(body(max_completion_tokens=600))
    never = provider.post(body(max_completion_tokens=5_000))

    assert first.headers["x-ratelimit-limit-tokens"] == "1000"
    assert first.headers["x-ratelimit-reset-tokens"] == "1m0s"
    assert [answer.status_code for answer in (first, second, never)] == [200, 429, 429]
    assert second.json()["error"]["type"] == "tokens"
    assert 55 <= int(second.headers["retry-after"]) <= 60
    assert "retry-after" not in never.headers


async def test_each_request_has_a_line_before_and_a_line_after(start: StartProvider) -> None:
    provider = start()

    response = provider.post(x_pressline_call="call-1", x_pressline_task="task-1")
    with pytest.raises(httpx.RemoteProtocolError):
        provider.post(x_pressline_simulate_fault="timeout")
    bad = provider.post({"model": "m"})
    await until(lambda: len(provider.lines("answered")) == 3)  # the line comes after the answer

    requests, answered = provider.lines("request"), provider.lines("answered")
    usage = response.json()["usage"]
    assert all(line.keys() == REQUEST_KEYS for line in requests)
    assert all(line.keys() == ANSWERED_KEYS for line in answered)
    assert [line["request_id"] for line in requests] == [line["request_id"] for line in answered]
    assert [line["status"] for line in requests] == [200, None, bad.status_code]
    assert [line["fault"] for line in requests] == [None, "timeout", None]
    assert [line["outcome"] for line in answered] == ["sent", "closed_unanswered", "sent"]
    assert requests[0]["request_id"] == response.headers["x-request-id"]
    assert (requests[0]["call"], requests[0]["task"]) == ("call-1", "task-1")
    assert requests[0]["tokens_in"] == usage["prompt_tokens"]
    assert requests[0]["tokens_out"] == usage["completion_tokens"]
    assert requests[0]["body_sha256"] == requests[1]["body_sha256"]
    assert [line["seen"] for line in requests] == [0, 1, None]


async def test_the_line_of_a_request_survives_kill_9_during_the_call(start: StartProvider) -> None:
    provider = start(defaults={"latency": {"kind": "fixed", "seconds": 30.0}})
    async with httpx.AsyncClient(timeout=30) as client:
        call = asyncio.create_task(client.post(f"{provider.url}/v1/chat/completions", json=body()))
        await until(lambda: len(provider.lines("request")) == 1)

        os.kill(provider.process.pid, signal.SIGKILL)

        with pytest.raises(httpx.HTTPError):
            await call
    assert len(provider.lines("request")) == 1
    assert provider.lines("answered") == []


async def test_sigterm_stops_within_a_second_with_calls_in_flight(start: StartProvider) -> None:
    provider = start(defaults={"latency": {"kind": "fixed", "seconds": 30.0}})
    async with httpx.AsyncClient(timeout=30) as client:
        call = asyncio.create_task(client.post(f"{provider.url}/v1/chat/completions", json=body()))
        await until(lambda: len(provider.lines("request")) == 1)
        before = time.monotonic()

        provider.process.terminate()
        code = await asyncio.to_thread(provider.process.wait, START_S_MAX)

        assert time.monotonic() - before < STOP_S_MAX
        with pytest.raises(httpx.HTTPError):
            await call
    assert code == 0
    assert [line["outcome"] for line in provider.lines("answered")] == ["server_stopped"]


async def test_a_caller_that_leaves_is_noted(start: StartProvider) -> None:
    provider = start(defaults={"latency": {"kind": "fixed", "seconds": 0.4}})

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"{provider.url}/v1/chat/completions", json=body(), timeout=0.15)

    await until(lambda: len(provider.lines("answered")) == 1)
    assert provider.lines("answered")[0]["outcome"] == "client_gone"


def test_a_full_log_refuses_requests(start: StartProvider) -> None:
    provider = start(log_bytes_max=4_096)

    answers = [provider.post() for _ in range(12)]

    assert answers[0].status_code == 200
    assert answers[-1].status_code == 503
    assert answers[-1].json()["error"]["code"] == "simulated_log_full"
    assert len(provider.lines("request")) == sum(answer.status_code == 200 for answer in answers)


def test_a_wrong_configuration_exits_with_2(tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text("latencyy: 3")

    ended = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "streams.embedded.provider", "--log", "x", "--config", str(config)],
        capture_output=True,
        check=False,
        cwd=ROOT,
    )

    assert ended.returncode == 2
    assert b"latencyy: unknown key" in ended.stderr


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(int(START_S_MAX / POLL_S)):
        if condition():
            return
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"did not come true within {START_S_MAX} s")
