"""A bounded walk for a known key is faster than a plain ring's lookup of its owner.

    python benchmarks/hashing.py [--json] [--record] [--quick]

The peer is uhashring's HashRing.get_node, a ring without bounds, with its defaults (160
points a node where ours has 64). A *known* key has been asked for since the membership
last changed, a *new* one never; uhashring keeps nothing between calls, so that both
cost it the same. The walk looks for three nodes with room on a ring that holds eight
requests a node. At 10,000 nodes, whose ring uhashring takes minutes to build, ours is
compared with itself at 8. Goals: known keys at most 1.0 times the peer, new keys 1.5,
10,000 nodes 2.5 times 8; these are for a whole decision of the router, of which this
layer is a part.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import count

from tqdm import tqdm
from uhashring import HashRing as PeerRing

from records import processor_environment, processor_folder
from report import Quantities, main
from tensorfleet.hashing import BoundedRing
from turns import Contest, Outcome, Run, contest_table, run_contest

SIZES = (8, 64, 512)
LARGE = 10_000
REPLICAS = 3  # the nodes that a walk looks for
OURS, PEER = "ours", "uhashring"
NEW_KEYS = count()  # numbers of keys that nobody has asked for yet


@cache
def our_ring(num_nodes: int) -> BoundedRing:
    """A ring in use: eight requests a node, of as many keys, within the bound."""
    ring = BoundedRing()
    for node in nodes(num_nodes):
        ring.add(node)
    for key in keys(8 * num_nodes):
        ring.admit(ring.walk(key, 1, now=0, amount=1).nodes[0], 1, now=0)
    return ring


@cache
def peer_ring(num_nodes: int) -> PeerRing:
    return PeerRing(nodes(num_nodes))


def nodes(num_nodes: int) -> list[str]:
    return [f"instance-{i}" for i in range(num_nodes)]


def keys(num_keys: int) -> list[str]:
    return [f"adapter-{next(NEW_KEYS)}|base" for _ in range(num_keys)]


def each(function: Callable[[str], object], keys: list[str]) -> Run:
    def run() -> None:
        for key in keys:
            function(key)

    return run


def walk(ring: BoundedRing) -> Callable[[str], object]:
    return lambda key: ring.walk(key, REPLICAS, now=0, amount=1)


def walk_known(ring: BoundedRing, num_keys: int) -> Callable[[], Run]:
    run = each(walk(ring), keys(num_keys))
    run()
    return lambda: run


def come_and_go(add: Callable[[str], object], remove: Callable[[str], object]) -> Run:
    def run() -> None:
        add("instance-new")
        remove("instance-new")

    return run


def contests(quick: bool) -> Iterator[Contest]:
    num_known, num_new = (50, 50) if quick else (2_000, 20_000)
    sizes, large = (SIZES[:2], 100) if quick else (SIZES, LARGE)

    def new(function: Callable[[str], object]) -> Callable[[], Run]:
        return lambda: each(function, keys(num_new))

    for size in sizes:
        ours, peer = our_ring(size), peer_ring(size)
        theirs = new(peer.get_node)
        name = f"{size} nodes"
        yield Contest(
            f"owner, {name}", num_new, {OURS: new(ours.ring.owner), PEER: theirs}
        )
        yield Contest(
            f"walk, known key, {name}",
            num_known,
            {
                OURS: walk_known(ours, num_known),
                PEER: lambda peer=peer: each(peer.get_node, keys(num_known)),  # type: ignore[misc]
            },
        )
        yield Contest(
            f"walk, new key, {name}", num_new, {OURS: new(walk(ours)), PEER: theirs}
        )
        yield Contest(
            f"node comes and goes, {name}",
            1,
            {
                OURS: partial(come_and_go, ours.add, ours.remove),
                PEER: partial(come_and_go, peer.add_node, peer.remove_node),
            },
        )
    few, many = our_ring(sizes[0]), our_ring(large)
    pair = {f"{large} nodes": many, f"{sizes[0]} nodes": few}
    for kind, prepare, operations in (
        ("owner", lambda ring: new(ring.ring.owner), num_new),
        ("walk, known key", lambda ring: walk_known(ring, num_known), num_known),
        ("walk, new key", lambda ring: new(walk(ring)), num_new),
        ("node comes and goes",
         lambda ring: partial(come_and_go, ring.add, ring.remove), 1),
    ):  # fmt: skip
        yield Contest(
            f"{kind}, many nodes",
            operations,
            {name: prepare(ring) for name, ring in pair.items()},
        )


def measure(quick: bool, repeats: int) -> tuple[list[Outcome], Quantities]:
    outcomes = [
        run_contest(contest, repeats)
        for contest in tqdm(contests(quick), unit="case", disable=None)
    ]
    return outcomes, summary({outcome.name: outcome for outcome in outcomes})


def summary(outcomes: dict[str, Outcome]) -> Quantities:
    def digits(value: float) -> float:
        return float(f"{value:.2g}")

    found: Quantities = {}
    for name, outcome in outcomes.items():
        short = name.replace(" nodes", "").replace(" key", "").replace(",", "")
        short = short.replace("node comes and goes", "change").replace(" ", "_")
        ours, peer = outcome.microseconds
        found[f"{short}_time"] = digits(outcome.microseconds[ours]), "µs"
        found[f"{short}_ratio"] = digits(outcome.ratio(ours, peer)), "times"
    return found


if __name__ == "__main__":
    assert __doc__
    main(
        "hashing",
        " ".join(__doc__.partition("\n\n")[0].split()),
        measure,
        contest_table,
        partial(processor_environment, "uhashring"),
        processor_folder,
    )
