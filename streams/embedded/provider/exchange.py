"""One exchange, but for the waiting: from received bytes to a logged, ready reply.

Nothing here awaits, so the order of the log is the order in which requests were received and limits
were decided.
"""

import hmac
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from streams.embedded.provider.answers import Author
from streams.embedded.provider.behaviour import Plan, Planner
from streams.embedded.provider.config import Fault, ModelBehaviour, ProviderConfig
from streams.embedded.provider.json_schema import SchemaUnsupportedError
from streams.embedded.provider.limits import Admission, Limiter, TooManyModelsError
from streams.embedded.provider.log import GroundTruthLog, LogFullError, clean
from streams.embedded.provider.problems import INJECTED, invalid_request, limit_reached, rejected, unavailable
from streams.embedded.provider.reply import ANSWERED, Outcome, Reply
from streams.embedded.provider.wire import (
    Answer,
    Identity,
    ModelRequest,
    Problem,
    RequestRejectedError,
    WireFormat,
)

BODY_BYTES_MAX = 8 * 1_048_576
LOGGED_CHARS_MAX = 256
CALL_HEADER = "x-pressline-call"
TASK_HEADER = "x-pressline-task"
FAULT_HEADER = "x-pressline-simulate-fault"
NOT_JSON = b"<html><head><title>502 Bad Gateway</title></head><body>simulated upstream error</body></html>"


@dataclass(slots=True, kw_only=True)
class _Case:
    """What is known so far of a request that is being decided; filled in as the decisions fall."""

    wire: WireFormat
    headers: Mapping[str, str]
    identity: Identity
    time_s: float
    monotonic_s: float
    request: ModelRequest | None = None
    admission: Admission = field(default_factory=Admission)
    tokens_charged: int = 0
    output_tokens: int = 0
    plan: Plan | None = None


class Desk:
    """Receives requests, decides about them, and writes the ground truth.

    Args:
        config: What to decide by.
        log: Where each request is written before its reply may be sent.
    """

    def __init__(self, config: ProviderConfig, log: GroundTruthLog) -> None:
        self._config = config
        self._log = log
        self._limiter = Limiter(config)
        self._planner = Planner(config)
        self._author = Author(config)
        self._in_flight = 0

    def note_start(self) -> None:
        """Log that a server started: its windows and counts start empty."""
        started = {"event": "started", "time": time.time(), "monotonic": time.monotonic()}
        self._log.append({**started, "pid": os.getpid(), "seed": self._config.seed, "simulated": True})

    def behave(self, defaults: ModelBehaviour) -> None:
        """From now on let models without an override behave like that; limits stay what they are."""
        self._config = self._planner.config = self._config.model_copy(update={"defaults": defaults})

    def receive(
        self, wire: WireFormat, headers: Mapping[str, str], body: bytes | None, model: str | None = None
    ) -> Reply:
        """Decide about a request and log it.

        Args:
            wire: The format it came in.
            headers: Its headers, looked up without regard to case.
            body: Its body, or none if it is larger than `BODY_BYTES_MAX`.
            model: The model that its address names, if it does.

        Returns:
            What to send. `note_end` must be called with it once that was tried.
        """
        self._in_flight += 1
        time_s = time.time()
        case = _Case(
            wire=wire,
            headers=headers,
            identity=Identity(request_id=f"sim-{uuid.uuid4().hex}", created_s=int(time_s)),
            time_s=time_s,
            monotonic_s=time.monotonic(),
        )
        try:
            reply = self._decide(case, body, model)
        except RequestRejectedError as rejection:
            case.plan = None  # the fault that was drawn does not strike
            reply = _problem_reply(case, rejection.problem)
        try:
            self._log.append(_request_line(case, reply))
        except (LogFullError, OSError) as error:
            return replace(_problem_reply(case, unavailable(str(error), "simulated_log_full")), logged=False)
        return reply

    def note_end(self, reply: Reply, outcome: Outcome) -> None:
        """Log how a request ended, once for each reply of `receive`."""
        self._in_flight -= 1
        if not reply.logged:
            return
        line = {
            "event": "answered",
            "time": time.time(),
            "monotonic": time.monotonic(),
            "request_id": reply.request_id,
            "status": reply.status if outcome in ANSWERED else None,
            "outcome": outcome,
        }
        self._log.append(line, last_words=True)

    def _decide(self, case: _Case, body: bytes | None, model: str | None) -> Reply:
        self._check_key(case)
        if self._in_flight > self._config.in_flight_max:
            seen = f"{self._in_flight} requests in flight, at most {self._config.in_flight_max}. Send fewer."
            raise RequestRejectedError(unavailable(seen, "service_unavailable"))
        if body is None:
            raise rejected(413, f"The body is larger than {BODY_BYTES_MAX} bytes. Send less.")
        request = case.request = case.wire.read(body, model)
        forced = _forced_fault(case.headers)
        self._check_model(request.model)
        self._admit(case, request)
        case.plan = self._plan(request, forced)
        if case.plan.fault in INJECTED:
            return self._injected_reply(case, request, case.plan)
        return self._answer_reply(case, request, case.plan)

    def _check_key(self, case: _Case) -> None:
        expected = self._config.api_key
        if expected is None:
            return
        given = case.wire.api_key_of(case.headers)
        if given is None:
            raise rejected(401, "You didn't provide an API key. Send it as a bearer token.")
        if not hmac.compare_digest(clean(given).encode(), expected.encode()):
            raise rejected(401, "Incorrect API key provided.", code="invalid_api_key")

    def _check_model(self, model: str) -> None:
        if self._config.unknown_models == "refuse" and model not in self._config.listed_models:
            seen = f"The model `{model}` does not exist or you do not have access to it."
            raise rejected(404, seen, code="model_not_found")

    def _admit(self, case: _Case, request: ModelRequest) -> None:
        case.tokens_charged = request.input_tokens + self._reserved_output(request)
        try:
            case.admission = self._limiter.admit(request.model, case.tokens_charged, case.monotonic_s)
        except TooManyModelsError as error:
            raise RequestRejectedError(unavailable(str(error), "service_unavailable")) from error
        refused_by = case.admission.refused_by
        if refused_by is not None:
            raise limit_reached(request, refused_by, _use(case), case.admission.retry_after_s)

    def _reserved_output(self, request: ModelRequest) -> int:
        if request.output_tokens_max is not None:
            return request.output_tokens_max
        if self._config.behaviour_of(request.model).limits.tokens_per_minute is None:
            return 0
        return self._written(request, None).output_tokens

    def _plan(self, request: ModelRequest, forced: Fault | None) -> Plan:
        plan = self._planner.plan(request.model, request.fingerprint, forced)
        if plan.fault is Fault.WRONG_SCHEMA and request.schema is None:  # there is nothing to break
            return replace(plan, fault=None)
        return plan

    def _injected_reply(self, case: _Case, request: ModelRequest, plan: Plan) -> Reply:
        if plan.fault is Fault.HTTP_429:
            wait_s = self._config.behaviour_of(request.model).retry_after_s
            case.admission = replace(case.admission, retry_after_s=wait_s)
        reply = _problem_reply(case, INJECTED[plan.fault or Fault.HTTP_500])
        return replace(reply, latency_s=plan.latency_s)

    def _answer_reply(self, case: _Case, request: ModelRequest, plan: Plan) -> Reply:
        answer = self._written(request, plan.fault)
        case.output_tokens = answer.output_tokens
        body = case.wire.answer(answer, request, case.identity)
        reply = _reply(case, 200, NOT_JSON if plan.fault is Fault.MALFORMED else body)
        if request.stream:
            headers = {**reply.headers, "content-type": "text/event-stream"}
            reply = replace(reply, headers=headers, streamed=True)
        cut = {Fault.TIMEOUT: Outcome.CLOSED_UNANSWERED, Fault.TRUNCATED_BODY: Outcome.CLOSED_WITHIN_BODY}
        delivery = cut.get(plan.fault, Outcome.SENT) if plan.fault else Outcome.SENT
        return replace(reply, delivery=delivery, latency_s=plan.latency_s)

    def _written(self, request: ModelRequest, fault: Fault | None) -> Answer:
        try:
            return self._author.answer(request, fault)
        except SchemaUnsupportedError as error:
            seen = f"Invalid schema for response_format: {error}"
            raise invalid_request(seen, param="response_format", code="invalid_json_schema") from error


def _forced_fault(headers: Mapping[str, str]) -> Fault | None:
    name = headers.get(FAULT_HEADER)
    if name is None:
        return None
    try:
        return Fault(name)
    except ValueError as error:
        raise invalid_request(
            f"{FAULT_HEADER} is {clean(name)!r}, expected one of {', '.join(Fault)}."
        ) from error


def _use(case: _Case) -> str:
    states = (
        ("requests", case.admission.requests, 1),
        ("tokens", case.admission.tokens, case.tokens_charged),
    )
    return "; ".join(
        f"{name}: Limit {state.limit}, Used {state.limit - state.remaining}, Requested {units}"
        for name, state, units in states
        if state is not None and name == case.admission.refused_by
    )


def _reply(case: _Case, status: int, body: bytes) -> Reply:
    headers = {"content-type": "application/json", **case.wire.headers(case.admission, case.identity)}
    return Reply(request_id=case.identity.request_id, status=status, headers=headers, body=body)


def _problem_reply(case: _Case, problem: Problem) -> Reply:
    return _reply(case, problem.status, case.wire.problem(problem))


def _request_line(case: _Case, reply: Reply) -> dict[str, Any]:
    request, plan = case.request, case.plan
    return {
        "event": "request",
        "time": case.time_s,
        "monotonic": case.monotonic_s,
        "request_id": reply.request_id,
        "format": case.wire.name,
        "model": None if request is None else request.model,
        "call": _logged(case.headers.get(CALL_HEADER)),
        "task": _logged(case.headers.get(TASK_HEADER)),
        "body_sha256": None if request is None else request.body_sha256,
        "seen": None if plan is None else plan.seen,
        "tokens_in": 0 if request is None else request.input_tokens,
        "tokens_out": case.output_tokens,
        "tokens_charged": case.tokens_charged,
        "fault": None if plan is None else plan.fault,
        "limited_by": case.admission.refused_by,
        "retry_after_s": case.admission.retry_after_s,
        "status": None if reply.delivery is Outcome.CLOSED_UNANSWERED else reply.status,
        "latency_s": reply.latency_s,
    }


def _logged(header: str | None) -> str | None:
    return None if header is None else clean(header[:LOGGED_CHARS_MAX])
