"""A small fleet, its requests and its misfortunes, all drawn from one seed.

Two to six instances with few slots and little KV, one to three routers (several share a
lease), some dozens of requests, some in bursts, and up to eight faults:

    crash     instances crash, come back, perhaps with an empty host memory
    flap      one crashes and comes back again and again
    stall     no progress and no reports, but requests are accepted
    errors    every request is answered with an error at once
    slow      steps take up to six times as long, or half as long
    outage    no transfer from the hub starts
    messages  reports, actions or finish notices get lost or come twice
    restart   a router starts empty
    jump      a router's clock leaps, up to an hour, and comes back
    leave     an instance is taken away, join: one is added

and revisions: new ones, rollbacks to older content, some while the one before is still
on its way. All faults end at `faults_end`. Requests then pause for `RECOVERY_NS` and
some more follow, which a fleet that has recovered serves without exception.

Times are scaled down (reports come every 0.1 s), so that every loop goes round often.

Does not handle: faults of the lease store, and a network cut between two parts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from tensorfleet.fleet.config import FleetConfig, HubConfig, InstanceConfig, Role
from tensorfleet.fleet.costs import StepCosts
from tensorfleet.fleet.message_faults import KINDS
from tensorfleet.router.config import MILLISECOND, SECOND, RouterConfig
from tensorfleet.router.messages import AdapterKey, Request, Revision
from tensorfleet.router.policies import POLICIES

MODEL = "base"
RECOVERY_NS = 5 * SECOND
HASHES = ("red", "green", "blue")
COSTS = StepCosts(
    overhead_ns=8 * MILLISECOND,
    weights_ns=0,
    token_ps=50_000_000,
    kv_token_ns=2_000,
    pair_ps=0,
    sequence_ns=100_000,
    rank_ns=10_000,
    rank_token_ps=0,
    kv_bytes_per_token=4,
    rank_bytes=100,
)
# At the time, by the name of a method of the world, with its arguments.
Event = tuple[int, str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in the run of one seed.

    `lossless`: no finish notice is lost or doubled, so that routers count exactly.
    """

    seed: int
    fleet: FleetConfig
    router: RouterConfig
    num_routers: int
    arrivals: tuple[tuple[int, Request, int], ...]
    events: tuple[Event, ...]
    faults_end: int
    lossless: bool


def draw_plan(seed: int) -> Plan:
    """The plan of a seed; the same on every machine."""
    random = Random(seed)
    horizon = random.randrange(800, 2400) * MILLISECOND
    adapters = [AdapterKey(f"a{i}", MODEL) for i in range(random.randrange(2, 9))]
    ranks = {key: random.choice((1, 1, 2, 4)) for key in adapters}
    instances = tuple(_instances(random))
    num_routers = random.choice((1, 1, 2, 3))
    faults = list(_faults(random, instances, num_routers, horizon))
    revisions = list(_revisions(random, adapters, horizon))
    fleet = FleetConfig(
        instances=instances,
        rank_of=ranks.__getitem__,
        hub=HubConfig(random.choice((10**4, 10**6)), random.choice((0, 20)) * 10**6),
        report_interval_ns=100 * MILLISECOND,
        report_delay_ns=random.choice((0, 5, 30)) * MILLISECOND,
        step_interval_ns=random.choice((50, 100)) * MILLISECOND,
    )
    return Plan(
        seed=seed,
        fleet=fleet,
        router=_router(random),
        num_routers=num_routers,
        arrivals=tuple(_arrivals(random, adapters, horizon)),
        events=tuple(sorted(faults + revisions, key=lambda event: event[0])),
        faults_end=horizon,
        lossless=not any(
            name == "lose_messages" and "finish" in str(arguments)
            for _, name, arguments in faults
        ),
    )


def _router(random: Random) -> RouterConfig:
    policy = random.choice(
        ("tensorfleet",) * 8 + ("notes", "bounded_hash") * 2 + tuple(POLICIES)
    )
    return RouterConfig(
        policy=policy,
        costs=COSTS.work_costs(10**6),
        epsilon=random.choice((0.1, 0.25, 1.0)),
        virtual_nodes=16,
        smoothing_ns=random.choice((0, 200 * MILLISECOND)),
        floor_ns=random.choice((1, 20, 100)) * MILLISECOND,
        replicas=random.choice((1, 1, 2)),
        max_replicas=random.choice((2, 4)),
        expected_output=20,
        heat_half_life_ns=500 * MILLISECOND,
        scaling_period_ns=400 * MILLISECOND,
        cooldown_ns=600 * MILLISECOND,
        swap_deadline_ns=300 * MILLISECOND,
        canary_ns=300 * MILLISECOND,
        push_retry_ns=100 * MILLISECOND,
        push_retry_cap_ns=400 * MILLISECOND,
        suspect_after_ns=350 * MILLISECOND,
        eject_after_errors=3,
        ejection_ns=100 * MILLISECOND,
        shed_wait_ns=random.choice((SECOND, 30 * SECOND)),
    )


def _instances(random: Random) -> Iterator[InstanceConfig]:
    whole: Role = "both"
    fleets: tuple[tuple[Role, ...], ...] = (
        (whole,) * random.randrange(2, 7),
        (whole,) * random.randrange(2, 5),
        ("prefill", "decode", "decode"),
        ("prefill", "prefill", "decode", "decode"),
    )
    roles = random.choice(fleets)
    slots = random.randrange(1, 5)
    max_running = random.choice((1, 2, 4, 8))
    adapter_pool = 300 + slots * 100  # the largest adapter takes 400
    for number, role in enumerate(roles):
        yield InstanceConfig(
            name=f"gpu-{number}",
            model=MODEL,
            costs=COSTS,
            pool_bytes=adapter_pool + random.choice((360, 480, 4000)),
            adapter_pool_bytes=adapter_pool,
            slots=slots,
            max_adapters_per_batch=random.randrange(1, slots + 1),
            max_running=max_running,
            token_budget=max_running + random.choice((0, 4, 64)),
            role=role,
            weight=random.choice((1.0, 1.0, 0.5, 2.0)),
            pcie_bytes_per_s=random.choice((10**5, 10**6)),
            network_bytes_per_s=random.choice((10**4, 10**6)),
            host_bytes=random.choice((0, 400, 10**6)),
            expected_output_tokens=20,
        )


def _arrivals(
    random: Random, adapters: list[AdapterKey], horizon: int
) -> Iterator[tuple[int, Request, int]]:
    """Requests while faults happen, and some afterwards."""
    count, burst = random.randrange(10, 70), random.choice((1, 1, 5, 10))
    skewed = adapters if random.random() < 0.5 else adapters[:1] * 5 + adapters
    for number in range(count + 10):
        if number < count:
            when = horizon * (number // burst * burst) // count
            when += number % burst * MILLISECOND + random.randrange(MILLISECOND)
        else:
            when = horizon + RECOVERY_NS + (number - count) * 50 * MILLISECOND
        prompt = random.choice((1, 10, random.randrange(1, 40)))
        session = random.choice((None, None, "s", "t"))
        named = number < count and random.random() < 0.05
        request = Request(
            id=number,
            key=random.choice(skewed),
            prompt_tokens=prompt,
            session=session,
            prefix_tokens=random.randrange(prompt) if session else 0,
            revision=random.choice(HASHES) if named else None,
        )
        yield when, request, random.choice((1, random.randrange(20, 50)))


def _revisions(
    random: Random, adapters: list[AdapterKey], horizon: int
) -> Iterator[Event]:
    """Up to four generations of some adapters; the last may come at the very end."""
    for key in adapters:
        if random.random() < 0.5:
            continue
        times = sorted(random.randrange(horizon) for _ in range(random.randrange(1, 5)))
        for generation, when in enumerate(times, start=1):
            yield when, "publish", (key, Revision(random.choice(HASHES), generation))


def _faults(
    random: Random,
    instances: tuple[InstanceConfig, ...],
    num_routers: int,
    horizon: int,
) -> Iterator[Event]:
    """Up to eight faults, each over by the horizon."""
    names = [instance.name for instance in instances]
    removable = [names[-1]] if instances[-1].role == "both" else []
    for number in range(random.randrange(9)):
        begin = random.randrange(horizon)
        end = random.randrange(begin, horizon)
        name, router = random.choice(names), random.randrange(num_routers)
        kind = random.choice((*FAULTS, "restart", "join", "leave"))
        if kind == "leave" and removable:
            yield begin, "remove_instance", (removable.pop(),)
        elif kind == "join":
            newcomer = replace(random.choice(instances), name=f"new-{number}")
            yield begin, "add_instance", (newcomer,)
        elif kind == "restart":
            yield begin, "restart_router", (router,)
        elif kind in FAULTS:
            yield from FAULTS[kind](random, begin, end, name, router)


def _crash(
    random: Random, begin: int, end: int, name: str, router: int
) -> Iterator[Event]:
    yield begin, "crash", (name,)
    yield end, random.choice(("restore", "restore_empty")), (name,)


def _flap(
    random: Random, begin: int, end: int, name: str, router: int
) -> Iterator[Event]:
    period = random.randrange(20, 300) * MILLISECOND
    for time in range(begin, end, period):
        yield time, "crash", (name,)
        yield min(time + period // 2, end), "restore", (name,)


def _stall(
    random: Random, begin: int, end: int, name: str, router: int
) -> Iterator[Event]:
    yield begin, "stall", (name,)
    yield end, "resume", (name,)


def _errors(
    random: Random, begin: int, end: int, name: str, router: int
) -> Iterator[Event]:
    yield begin, "fail_fast", (name, True)
    yield end, "fail_fast", (name, False)


def _slow(
    random: Random, begin: int, end: int, name: str, router: int
) -> Iterator[Event]:
    yield begin, "set_slowdown", (name, random.choice((500, 3000, 6000)))
    yield end, "set_slowdown", (name, 1000)


def _outage(
    random: Random, begin: int, end: int, name: str, router: int
) -> Iterator[Event]:
    yield begin, "hub_outage", (end,)


def _messages(
    random: Random, begin: int, end: int, name: str, router: int
) -> Iterator[Event]:
    kinds = tuple(kind for kind in KINDS if random.random() < 0.5) or KINDS
    lost, doubled = random.choice(((0, 500), (300, 0), (300, 300), (900, 0)))
    seed = random.randrange(2**32)
    yield begin, "lose_messages", (seed, lost, doubled, kinds)
    yield end, "deliver_messages", ()


def _jump(
    random: Random, begin: int, end: int, name: str, router: int
) -> Iterator[Event]:
    size = random.choice((300 * MILLISECOND, 2 * SECOND, 3600 * SECOND))
    yield begin, "set_clock", (router, random.choice((-size, size)))
    yield end, "set_clock", (router, 0)


Draw = Callable[[Random, int, int, str, int], Iterator[Event]]
FAULTS: dict[str, Draw] = {
    "crash": _crash,
    "flap": _flap,
    "stall": _stall,
    "errors": _errors,
    "slow": _slow,
    "outage": _outage,
    "messages": _messages,
    "jump": _jump,
}
