"""A routing decision for a known key takes about as long as a plain ring's lookup.

    python benchmarks/router.py [--json] [--record] [--quick]

The peer is uhashring's HashRing.get_node, which looks at no load, no replica and no
adapter. Ours is `choose` of the default policy with three replicas: replicas and
holders looked up (for a new key on the ring), two choices, the test for room, and the
load admitted. Goals: a key seen before at most 1.0 times the peer, a
key never seen at most 1.5, 10,000 nodes at most 2.5 times 8. `route` and `finish`, the
whole of the router with its book-keeping, are rows of their own, as is the slow path
that compares costs, and known keys on instances with work above the floor (*loaded*: 60
requests in flight on each), where some decisions take that path and most do not.

The router is in use: 16 adapters a node, which its instances have reported resident at
their homes, 8 slots free at each, 4 requests of 500 tokens in flight on each, 15 new
ones a second, a report of each every half second and the control loop every second.
Known keys are drawn alike, and by Zipf's law (exponent 1), after traffic by Zipf's law
for 40 s or 100,000 requests, whichever is less, so that the control loop has given hot
keys replicas. Requests, their keys and the time are new for each decision, made before
the clock starts; what a decision has added is taken away after it stops. The clock
counts processor time. The garbage collector runs as in any program. At 10,000 nodes,
whose ring uhashring takes minutes to build, ours is compared with itself at 8, where
the adapters are as many a node (*many nodes*), or as many in all (*among as many*): the
first adds what more adapters cost, the second is the cost of nodes alone.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import accumulate, count
from random import Random
from time import process_time

from tqdm import tqdm
from uhashring import HashRing as PeerRing

from records import processor_environment, processor_folder
from report import Quantities, main
from tensorfleet.router import Router, RouterConfig
from tensorfleet.router.messages import AdapterKey, Report, Request
from tensorfleet.router.policy import Policy
from turns import Outcome, Run, contest_table, outcome, times_in_turns

SIZES = (8, 64, 512)
LARGE = 10_000
OURS, PEER = "ours", "uhashring"
MODEL = "llama-3.1-8b"
SECOND = 1_000_000_000
ADAPTERS, IN_FLIGHT, LOADED, ARRIVALS = 16, 4, 60, 15  # of one node
PROMPT = 500  # tokens
WORK = 18_500_000  # what that costs an instance, in nanoseconds
WARM_UP = 40  # seconds of traffic: the control loop acts every 30
NUMBERS = count()  # of requests, and of adapters that nobody has asked for yet

Keys = Callable[[int], list[AdapterKey]]


class Fleet:
    """A router in use, with `num_nodes` instances behind it, and its clock."""

    def __init__(
        self, num_nodes: int, num_adapters: int, free_slots: int, in_flight: int
    ) -> None:
        self.num_nodes = num_nodes
        self.free_slots = free_slots
        self.router = Router(RouterConfig(replicas=3))
        self.now = self.reported = self.stepped = 0
        for name in nodes(num_nodes):
            self.router.join(name, 0, model=MODEL)
        self.residents: list[dict[AdapterKey, int]] = [{} for _ in range(num_nodes)]
        self.place = {name: i for i, name in enumerate(nodes(num_nodes))}
        policy = self.policy
        for key in map(adapter, range(num_adapters)):
            for name in policy.table.serving(key, 0):  # type: ignore[attr-defined]
                self.residents[self.place[name]][key] = 1
        self.report()
        self.flying: list[Request] = []
        keys = alike(num_adapters)
        for request, now in self.arriving(keys(in_flight * num_nodes)):
            self.router.route(request, now)
            self.flying.append(request)
        self.report()
        warm_up = min(WARM_UP * ARRIVALS * num_nodes, 100_000)
        self.serve(zipf(num_adapters), warm_up, "route")

    @property
    def policy(self) -> Policy:
        return self.router.members.prefilling[MODEL]

    @property
    def chunk(self) -> int:
        """Requests between two corrections: so few that no node fills up by them."""
        return min(4 * self.num_nodes, 256)

    def arriving(self, keys: list[AdapterKey]) -> list[tuple[Request, int]]:
        """Requests for these keys, with the times at which they come."""
        gap = SECOND // (ARRIVALS * self.num_nodes)
        begin, self.now = self.now, self.now + gap * len(keys)
        return [
            (Request(next(NUMBERS), key, PROMPT), begin + gap * i)
            for i, key in enumerate(keys, 1)
        ]

    def report(self) -> None:
        """Every instance says what the router believes, and each replica is there."""
        self.reported = self.now
        router = self.router
        for key, row in self.policy.table.rows.items():  # type: ignore[attr-defined]
            for name in row.states:
                self.residents[self.place[name]][key] = 1
        for belief, resident in zip(
            router.members.instances.values(), self.residents, strict=True
        ):
            load = belief.work
            by_router = {router.name: load}
            report = Report(
                belief.name, 0, self.now, 0, belief.num_requests, load, by_router,
                1.0, 0.5, resident, {}, self.free_slots,
            )  # fmt: skip
            router.observe(report, self.now)

    def tend(self) -> None:
        """Reports and the control loop, when they are due."""
        if self.now - self.reported >= SECOND // 2:
            self.report()
        if self.now - self.stepped >= SECOND:
            self.stepped = self.now
            self.router.step(self.now)

    def decide(self, keys: Keys, operations: int) -> float:
        """Seconds of as many decisions, which are then taken back."""
        policy, members = self.policy, self.router.members
        choose, total = policy.choose, 0.0
        for _ in range(operations // self.chunk):
            batch = self.arriving(keys(self.chunk))
            start = process_time()
            choices = [choose(request, WORK, now) for request, now in batch]
            total += process_time() - start
            for name in dict.fromkeys(choice[0] for choice in choices):
                members.update_load(members.instances[name])
            self.tend()
        return total

    def serve(self, keys: Keys, operations: int, timed: str) -> float:
        """Seconds of as many calls of `route`, or of `finish`, in steady traffic."""
        route, finish = self.router.route, self.router.finish
        seconds = {"route": 0.0, "finish": 0.0}
        for _ in range(operations // self.chunk):
            batch = self.arriving(keys(self.chunk))
            start = process_time()
            for request, now in batch:
                route(request, now)
            seconds["route"] += process_time() - start
            self.flying += [request for request, _ in batch]
            ended, self.flying = self.flying[: self.chunk], self.flying[self.chunk :]
            start = process_time()
            for request in ended:
                finish(request, now, output_tokens=200)
            seconds["finish"] += process_time() - start
            self.tend()
        return seconds[timed]


@cache
def fleet(
    num_nodes: int,
    num_adapters: int | None = None,
    free_slots: int = 8,
    in_flight: int = IN_FLIGHT,
) -> Fleet:
    """ADAPTERS for each node, unless it is said how many."""
    return Fleet(num_nodes, num_adapters or ADAPTERS * num_nodes, free_slots, in_flight)


@cache
def peer_ring(num_nodes: int) -> PeerRing:
    return PeerRing(nodes(num_nodes))


def nodes(num_nodes: int) -> list[str]:
    return [f"instance-{i}" for i in range(num_nodes)]


def adapter(number: int) -> AdapterKey:
    """A new object each time, as a request from the network brings it."""
    return AdapterKey(f"adapter-{number}", MODEL)


def alike(num_adapters: int) -> Keys:
    """Known keys, each as likely as any other."""
    random = Random(1).random
    return lambda num_keys: [
        adapter(int(random() * num_adapters)) for _ in range(num_keys)
    ]


def zipf(num_adapters: int) -> Keys:
    """Known keys; the i-th most popular has a share proportional to 1/i."""
    places = range(num_adapters)
    weights = list(accumulate(1 / (place + 1) for place in places))
    random = Random(2)
    return lambda num_keys: [
        adapter(place)
        for place in random.choices(places, cum_weights=weights, k=num_keys)
    ]


def new(num_keys: int) -> list[AdapterKey]:
    """Keys that nobody has asked for yet."""
    return [AdapterKey(f"new-{next(NUMBERS)}", MODEL) for _ in range(num_keys)]


def look_up(ring: PeerRing, keys: Keys, operations: int) -> float:
    """Seconds of as many lookups by the peer."""
    names = [f"{key.adapter}|{key.model}" for key in keys(operations)]
    get_node = ring.get_node
    start = process_time()
    for name in names:
        get_node(name)
    return process_time() - start


def contests(
    quick: bool,
) -> Iterator[tuple[str, int, dict[str, Callable[[], float]]]]:
    """Names, numbers of operations, and contestants that tell their seconds."""
    sizes, large = (SIZES[:2], 100) if quick else (SIZES, LARGE)
    operations = 256 if quick else 2048
    for size in sizes:
        ours, crowded = fleet(size), fleet(size, free_slots=0)
        loaded, ring = fleet(size, in_flight=LOADED), peer_ring(size)
        adapters = ADAPTERS * size
        for kind, keys in kinds(adapters).items():
            theirs = partial(look_up, ring, keys, operations)
            decide = partial(ours.decide, keys, operations)
            yield f"decision, {kind}, {size} nodes", operations, {
                OURS: decide, PEER: theirs
            }  # fmt: skip
        theirs = partial(look_up, ring, alike(adapters), operations)
        yield f"decision, known key, loaded, {size} nodes", operations, {
            OURS: partial(loaded.decide, alike(adapters), operations), PEER: theirs
        }  # fmt: skip
        theirs = partial(look_up, ring, new, operations)
        yield f"decision, new key, no slot free, {size} nodes", operations, {
            OURS: partial(crowded.decide, new, operations), PEER: theirs
        }  # fmt: skip
        for kind, keys in kinds(adapters).items():
            theirs = partial(look_up, ring, keys, operations)
            for call in ("route", "finish"):
                yield f"{call}, {kind}, {size} nodes", operations, {
                    OURS: partial(ours.serve, keys, operations, call), PEER: theirs
                }  # fmt: skip
    few, most = sizes[0], ADAPTERS * large
    for case, adapters in (("many nodes", ADAPTERS * few), ("among as many", most)):
        for kind in kinds(few):
            yield f"decision, {kind}, {case}", operations, {
                f"{size} nodes": partial(
                    fleet(size, number).decide, kinds(number)[kind], operations
                )
                for size, number in ((large, most), (few, adapters))
            }  # fmt: skip


def kinds(num_adapters: int) -> dict[str, Keys]:
    return {
        "known key": alike(num_adapters),
        "known key by Zipf": zipf(num_adapters),
        "new key": new,
    }


def compete(
    name: str,
    operations: int,
    contestants: dict[str, Callable[[], float]],
    repeats: int,
) -> Outcome:
    times = times_in_turns(contestants.values(), repeats, _seconds_of)
    return outcome(name, operations, dict(zip(contestants, times, strict=True)))


def _seconds_of(run: Run) -> float:
    """Contestants here time themselves, since they correct the state in between."""
    seconds = run()
    assert isinstance(seconds, float)
    return seconds


def measure(quick: bool, repeats: int) -> tuple[list[Outcome], Quantities]:
    outcomes = [
        compete(*contest, repeats)
        for contest in tqdm(contests(quick), unit="case", disable=None)
    ]
    return outcomes, summary({outcome.name: outcome for outcome in outcomes})


def summary(outcomes: dict[str, Outcome]) -> Quantities:
    def digits(value: float) -> float:
        return float(f"{value:.2g}")

    found: Quantities = {}
    for name, row in outcomes.items():
        short = name.replace(" nodes", "").replace(" key", "").replace(",", "")
        short = short.replace("by Zipf", "zipf").replace("no slot free", "crowded")
        short = short.replace("among as many", "as_many")
        short = short.replace(" ", "_")
        ours, peer = row.microseconds
        found[f"{short}_time"] = digits(row.microseconds[ours]), "µs"
        found[f"{short}_ratio"] = digits(row.ratio(ours, peer)), "times"
    return found


if __name__ == "__main__":
    assert __doc__
    main(
        "router",
        " ".join(__doc__.partition("\n\n")[0].split()),
        measure,
        contest_table,
        partial(processor_environment, "uhashring"),
        processor_folder,
    )
