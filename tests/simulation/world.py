"""All parts of one seed, put together."""

import math
import random

from processors.breakers import Breakers
from processors.gates import Gates
from processors.gateway.gateway import Gateway
from processors.gateway.journal import CallKey
from schemas.base import Stage
from schemas.scope import Scope
from streams.engine.gate import StageGate

from .broker import REDELIVERY, STAGE, Broker
from .consumer_client import SimulatedConsumer
from .group import Group
from .history import History
from .loop import Life, Process, SimulationLoop
from .network import Network
from .plan import CALM, LANES, Scenario
from .producer_client import SimulatedProducer
from .provider import Provider, SimulatedTransport
from .shares import SharesInUse
from .stage import BREAKER_RULES, SimulatedStage, Sink
from .store import Store
from .watch import Known, Place, Watch
from .worker import Worker

EPOCH_S = 1_767_225_600.0
"""2026-01-01 in UTC: what the wall clock shows at the start."""
PERSON = "operator"


class World:
    """The cluster, the store, the provider, the sink, the workers, and the person who holds back.

    Attributes:
        shares: when which worker began to use which share of the limits.
        held: what was held back, from when until when.
    """

    def __init__(self, scenario: Scenario, loop: SimulationLoop, history: History) -> None:
        rng = random.Random(f"world {scenario.seed}")
        self.scenario = scenario
        self.loop = loop
        self.history = history
        self.network = Network(rng=rng)
        self.store = Store(history=history, network=self.network, rng=rng)
        fates = {task.task_id: task.fate for task in scenario.tasks}
        self.provider = Provider(history=history, network=self.network, rng=rng, fates=fates)
        self.sink = Sink(history=history, network=self.network)
        self.gate = StageGate(gates=Gates(), stage=Stage.GENERATE, lanes=LANES)
        known = Known(holds=self._holds, answered=self._answered, wall_s=self.wall_s, gate=self.gate)
        self.watch = Watch(scenario, history, known)
        groups = {STAGE: self._group(STAGE, rng), REDELIVERY: self._group(REDELIVERY, rng)}
        self.broker = Broker(
            history, self.network, scenario.partitions, self.watch.appended, self.wall_s, groups
        )
        self.workers: list[Worker] = []
        self.clients: dict[tuple[str, str], SimulatedConsumer] = {}
        self.shares: list[tuple[float, str, float]] = []
        self.held: list[tuple[Scope, float, float]] = []
        self.wall_offset_s = 0.0
        self.used = SharesInUse(history=history, runs=self._runs)
        self._tasks = {task.task_id: task for task in scenario.tasks}

    @property
    def living(self) -> list[Worker]:
        """Workers that run or are paused, and were not told to stop."""
        return [w for w in self.workers if w.process.life is not Life.DEAD and not w.stopping]

    def wall_s(self) -> float:
        """Return the time of day, in Unix seconds."""
        return EPOCH_S + self.history.now_s + self.wall_offset_s

    def set_clock(self, seconds: float) -> None:
        """Set the time of day that much later."""
        self.wall_offset_s += seconds

    def noisy(self, *, noisy: bool) -> None:
        """Let requests fail as the scenario has it, or not at all."""
        self.network.noise = self.scenario.noise if noisy else CALM

    def join(self) -> Worker:
        """Start another worker."""
        process = Process(f"w{len(self.workers) + 1}")
        worker = Worker(
            process=process,
            scenario=self.scenario,
            history=self.history,
            store=self.store,
            transport=SimulatedTransport(self.provider, process),
            stage=lambda gateway: self._stage(process, gateway),
            gate=self.gate,
            on_share=self._share,
        )
        self.workers.append(worker)
        self.history.note("join", process.name)
        worker.running = process.start(self._run(worker))
        return worker

    def kill(self, worker: Worker) -> None:
        """`kill -9`: nothing of it runs on."""
        self.history.note("kill", worker.process.name)
        self._end(worker)

    def pause(self, worker: Worker) -> None:
        """SIGSTOP."""
        self.history.note("pause", worker.process.name)
        worker.process.pause()
        self._silence(worker)

    def resume(self, worker: Worker) -> None:
        """SIGCONT."""
        if worker.process.life is not Life.PAUSED:
            return
        self.history.note("resume", worker.process.name)
        worker.process.resume()
        self.store.extend(worker.process)
        self._heartbeat(worker)

    def cut(self, worker: Worker) -> None:
        """Break its way to the brokers."""
        self.history.note("cut", worker.process.name)
        worker.process.connected = False
        self.broker.silence(worker.process)
        self._heartbeat(worker)

    def rejoin(self, worker: Worker) -> None:
        """Let it leave its group and join anew, as after a stall."""
        if worker.rejoining is not None and not worker.rejoining.done():
            return
        self.history.note("rejoin", worker.process.name)
        worker.rejoining = worker.process.start(worker.rejoin())

    def hold(self, scope: Scope) -> None:
        """Hold work back, in all workers at once."""
        self.history.note("hold", scope)
        self.gate.gates.close(scope, PERSON, "simulated")
        self.held.append((scope, self.history.now_s, math.inf))

    def let_go(self, scope: Scope) -> None:
        """Let the work go on."""
        self.gate.gates.open(scope, PERSON)
        now_s = self.history.now_s
        self.held = [(s, since, min(until, now_s) if s == scope else until) for s, since, until in self.held]

    def consumer(self, **settings: object) -> SimulatedConsumer:
        """Stand for aiokafka's consumer."""
        client = SimulatedConsumer(self.broker, settings, self.watch)
        self.clients[client.process.name, client.group.name] = client
        return client

    def producer(self, **settings: object) -> SimulatedProducer:
        """Stand for aiokafka's producer."""
        return SimulatedProducer(self.broker, settings, self.watch.sending)

    async def _run(self, worker: Worker) -> None:
        await worker.run()
        self._end(worker)

    def _end(self, worker: Worker) -> None:
        """Its process is no more, and whatever still ran in it."""
        worker.process.kill()
        for client in self._clients(worker):
            self.broker.arrivals.pop(client, None)
        self._silence(worker)
        self._share(worker.process.name, 0.0)

    def _silence(self, worker: Worker) -> None:
        self.broker.silence(worker.process)
        self.store.silence(worker.process)

    def _heartbeat(self, worker: Worker) -> None:
        for client in self._clients(worker):
            client.heartbeat_within(1.0)

    def _clients(self, worker: Worker) -> list[SimulatedConsumer]:
        named = ((worker.process.name, group) for group in self.broker.groups)
        return [self.clients[name] for name in named if name in self.clients]

    def _group(self, name: str, rng: random.Random) -> Group:
        on_commit = self.watch.committed if name == STAGE else _unwatched
        return Group(
            name=name, history=self.history, rng=rng, session_s=self.scenario.session_s, on_commit=on_commit
        )

    def _stage(self, process: Process, gateway: Gateway) -> SimulatedStage:
        return SimulatedStage(
            worker=process.name,
            tasks=self._tasks,
            gateway=gateway,
            sink=self.sink,
            watch=self.watch,
            breakers=Breakers(BREAKER_RULES, self.loop.time),
        )

    def _share(self, worker: str, share: float) -> None:
        self.history.note("share", worker, share)
        self.shares.append((self.history.now_s, worker, share))
        self.used.use(worker, share)

    def _runs(self, worker: str) -> bool:
        client = self.clients.get((worker, STAGE))
        return client is not None and client.process.life is Life.RUNNING

    def _holds(self, worker: str, place: Place) -> bool:
        return self.clients[worker, STAGE].holds(place)

    def _answered(self, task_id: str, step: str) -> bool:
        attempts = self.store.calls.attempts.get(CallKey(revision=task_id, step=step), [])
        return any(call.state == "answered" for call in attempts)


def _unwatched(*_: object) -> None:
    """What the redelivery commits shows at the end: nothing of a tier is lost."""
