"""Small fleets, a router that does as it is told, and random runs for them."""

from dataclasses import replace
from random import Random

from tensorfleet.fleet.config import FleetConfig, HubConfig, InstanceConfig
from tensorfleet.fleet.costs import StepCosts
from tensorfleet.fleet.message_faults import MessageFaults
from tensorfleet.fleet.simulation import Simulation
from tensorfleet.router.messages import (
    AdapterKey,
    Decision,
    Prefetch,
    Push,
    Request,
    Revision,
    Unload,
)

MODEL = "base"
# Round numbers: a step takes 1000 ns, a token of context 1 ns, a prefilled token 10 ns.
COSTS = StepCosts(
    overhead_ns=1000,
    weights_ns=0,
    token_ps=0,
    kv_token_ns=1,
    pair_ps=0,
    sequence_ns=0,
    rank_ns=0,
    rank_token_ps=0,
    kv_bytes_per_token=1,
    rank_bytes=10,
)
INSTANCE = InstanceConfig(
    name="a",
    model=MODEL,
    costs=COSTS,
    pool_bytes=100_000,
    adapter_pool_bytes=50_000,
    slots=4,
    max_adapters_per_batch=4,
    max_running=8,
    token_budget=512,
    pcie_bytes_per_s=10**9,
    network_bytes_per_s=10**9,
    host_bytes=10_000,
)


def key(name):
    return AdapterKey(str(name), MODEL)


def fleet(*instances, **settings):
    settings = {
        "rank_of": lambda key: 1,
        "hub": HubConfig(egress_bytes_per_s=10**9, latency_ns=0),
        "report_interval_ns": 10**9,
        "step_interval_ns": 10**9,
        **settings,
    }
    return FleetConfig(instances=instances or (INSTANCE,), **settings)


def request(number, adapter="x", prompt=10, **more):
    return Request(id=number, key=key(adapter), prompt_tokens=prompt, **more)


class ScriptedRouter:
    """Spreads requests by `Random(seed)`; asks for actions at random; keeps a diary.

    It is told about instances by `join` and retries a failure once, if no token was
    sent. The diary holds all that it was told, in order.
    """

    def __init__(self, seed=0, name="router-0", adapters=(), actions=0.0):
        self.name = name
        self.random = Random(seed)
        self.instances = {}
        self.adapters = adapters
        self.actions = actions
        self.generations = {}
        self.retried = set()
        self.diary = []

    def join(self, instance, now, *, model, weight, role):
        self.instances[instance] = role

    def leave(self, instance, now):
        del self.instances[instance]

    def route(self, request, now):
        unfit = "prefill" if request.stage == "decode" else "decode"
        names = [name for name, role in self.instances.items() if role != unfit]
        self.diary.append((now, "route", request.id, request.stage))
        if not names:
            return Decision(None, (), 0, False, False, 0, "nobody")
        name = self.random.choice(names)
        return Decision(name, (name,), 0, False, False, 0, "random")

    def finish(self, request, now, *, ok=True, output_tokens=0):
        self.diary.append((now, "finish", request.id, ok, output_tokens))

    def retry(self, request, now, *, tokens_sent):
        self.diary.append((now, "retry", request.id, tokens_sent))
        if tokens_sent or request.id in self.retried:
            return None
        self.retried.add(request.id)
        return self.route(request, now)

    def observe(self, report, now):
        self.diary.append((now, report))

    def publish(self, key, revision, now):
        self.generations[key] = revision

    def step(self, now):
        if not self.instances or self.random.random() >= self.actions:
            return []
        name = self.random.choice(list(self.instances))
        key = self.random.choice(self.adapters)
        kind = self.random.choice((Prefetch, Unload, Push))
        if kind is Unload:
            return [Unload(name, key)]
        revision = self.generations.get(key, Revision("", 0))
        if kind is Prefetch:
            return [Prefetch(name, key, revision.generation)]
        return [Push(name, key, revision, now + self.random.randrange(100_000))]

    def adopt(self, replicas, now):
        pass


def random_run(seed, count):
    """A function that makes the same simulation of `count` requests again and again.

    The seed decides on all else: costs, limits, roles, requests, revisions, faults.
    """
    random = Random(seed)
    adapters = [key(number) for number in range(random.randrange(1, 7))]
    ranks = {adapter: random.choice((1, 2, 4, 8)) for adapter in adapters}
    costs = StepCosts(
        overhead_ns=random.randrange(1, 2000),
        weights_ns=random.choice((0, 3000)),
        token_ps=random.choice((0, 40_000)),
        kv_token_ns=random.choice((0, 1, 7)),
        pair_ps=random.choice((0, 300)),
        sequence_ns=random.choice((1, 11)),
        rank_ns=random.choice((0, 50)),
        rank_token_ps=random.choice((0, 3000)),
        kv_bytes_per_token=random.choice((1, 3)),
        rank_bytes=random.choice((1, 20)),
    )
    configs = random_instances(random, costs)
    published = random.random() < 0.5
    gap = random.choice((100, 5_000, 100_000))
    horizon = gap * count // 2
    settings = fleet(
        *configs,
        rank_of=ranks.__getitem__,
        hub=HubConfig(random.choice((10**6, 10**9)), random.choice((0, 3000))),
        report_interval_ns=random.choice((5_000, 50_000)),
        report_delay_ns=random.choice((0, 1000)),
        step_interval_ns=random.choice((5_000, 50_000)),
    )
    actions = random.choice((0.0, 0.9))
    num_routers = random.randrange(1, 3)
    plan = list(random_faults(random, configs, horizon))
    if published:
        plan += random_revisions(random, adapters, horizon)
    lossy = random.random() < 0.2
    arrivals = list(random_arrivals(random, count, gap, adapters, published))

    def build(reference):
        def event(name, details):
            return lambda simulation: getattr(simulation, name)(*details)

        simulation = Simulation(
            settings,
            [
                ScriptedRouter(seed + number, f"router-{number}", adapters, actions)
                for number in range(num_routers)
            ],
            [(time, replace(request), out) for time, request, out in arrivals],
            events=[(time, event(name, details)) for time, name, details in plan],
            reference=reference,
        )
        if lossy:
            faults = MessageFaults(seed, drop_per_mille=200, double_per_mille=200)
            simulation.set_message_faults(faults)
        return simulation

    return build


def random_instances(random, costs):
    adapter_pool = costs.rank_bytes * random.randrange(7, 40)
    max_running = random.choice((1, 3, 8))
    kv_tokens = random.choice((120, 180, 300, 3000))
    roles = random.choice((("both",), ("both",) * 3, ("prefill", "decode")))
    return tuple(
        InstanceConfig(
            name=f"instance-{number}",
            model=MODEL,
            costs=costs,
            pool_bytes=adapter_pool + kv_tokens * costs.kv_bytes_per_token,
            adapter_pool_bytes=adapter_pool,
            slots=random.randrange(1, 6),
            max_adapters_per_batch=random.randrange(1, 5),
            max_running=max_running,
            token_budget=max_running + random.choice((0, 1, 20, 500)),
            role=role,
            pcie_bytes_per_s=random.choice((10**7, 10**9)),
            network_bytes_per_s=random.choice((10**6, 10**9)),
            host_bytes=random.choice((0, 100, 10**6)),
            expected_output_tokens=20,
        )
        for number, role in enumerate(roles)
    )


def random_arrivals(random, count, gap, adapters, published):
    time = 0
    for number in range(count):
        time += random.randrange(gap)
        prompt = random.choice((1, 10, random.randrange(1, 60)))
        named = published and random.random() < 0.1
        request = Request(
            id=number,
            key=random.choice(adapters),
            prompt_tokens=prompt,
            session=random.choice((None, "s", "t")),
            prefix_tokens=random.randrange(prompt),
            revision=random.choice(("one", "two")) if named else None,
        )
        yield time, request, random.choice((1, 2, random.randrange(1, 100)))


def random_revisions(random, adapters, horizon):
    """Three generations of every adapter, each some time after the one before."""
    for generation, content in enumerate(("one", "two", "one"), start=1):
        for adapter in adapters:
            when = generation * horizon // 4 + random.randrange(horizon // 4 + 1)
            yield when, "publish", (adapter, Revision(content, generation))


def random_faults(random, configs, horizon):
    """Up to four faults, each with its end."""
    kinds = ("crash", "stall", "black hole", "slow", "outage", "replace")
    for number in range(random.randrange(5)):
        kind = random.choice(kinds)
        name = random.choice(configs).name
        start = random.randrange(horizon + 1)
        end = start + random.randrange(1, 200_000)
        if kind == "crash":
            yield start, "crash", (name,)
            yield end, "restore", (name,)
        elif kind == "stall":
            yield start, "stall", (name,)
            yield end, "resume", (name,)
        elif kind == "black hole":
            yield start, "fail_fast", (name, True)
            yield end, "fail_fast", (name, False)
        elif kind == "slow":
            yield start, "set_slowdown", (name, random.choice((500, 3333)))
            yield end, "set_slowdown", (name, 1000)
        elif kind == "outage":
            yield start, "hub_outage", (end,)
        elif kind == "replace":
            newcomer = replace(configs[0], name=f"new-{number}")
            yield start, "add_instance", (newcomer,)
            yield end, "remove_instance", (name,)
