"""The exercises of the chapter on consistent hashing."""

from collections.abc import Iterator
from random import Random

from tensorfleet.exercises.checking import Arguments, Exercise, equals

Points = dict[str, list[int]]
Positions = dict[str, int]


def moved_by_modulo_cases() -> Iterator[Arguments]:
    yield [0, 1, 2, 3, 4, 5], 2
    yield [], 3
    yield [12, 24, 36], 3  # multiples of 3 and of 4: all stay
    yield [7], 1
    random = Random(1)
    for num_nodes in (1, 5, 40):
        yield [random.randrange(2**64) for _ in range(200)], num_nodes


def moved_by_modulo(hashes: list[int], num_nodes: int) -> int:
    return sum(h % num_nodes != h % (num_nodes + 1) for h in hashes)


def owner_cases() -> Iterator[Arguments]:
    yield 21, {"A": [20], "C": [22], "D": [24]}
    yield 22, {"A": [20], "C": [22], "D": [24]}
    yield 25, {"A": [20], "C": [22], "D": [24]}
    yield 0, {"A": [350], "B": [10]}
    yield 180, {"A": [175, 5], "B": [300, 90]}
    random = Random(2)
    for num_nodes, virtual_nodes in ((1, 1), (4, 3), (20, 5)):
        points = random_points(random, num_nodes, virtual_nodes)
        yield from ((random.randrange(360), points) for _ in range(4))


def owner(position: int, points: Points) -> str:
    """The node of the point that is the shortest way clockwise."""
    return min(
        ((place - position) % 360, node)
        for node, places in points.items()
        for place in places
    )[1]


def arc_lengths_cases() -> Iterator[Arguments]:
    yield ({"A": [20], "C": [22], "D": [24]},)
    yield ({"A": [0]},)
    yield ({"A": [10, 200], "B": [100]},)
    yield ({"A": [5, 15], "B": [10]},)
    random = Random(3)
    for num_nodes, virtual_nodes in ((3, 2), (10, 4)):
        yield (random_points(random, num_nodes, virtual_nodes),)


def arc_lengths(points: Points) -> dict[str, int]:
    in_order = sorted((place, node) for node in points for place in points[node])
    lengths = dict.fromkeys(points, 0)
    before = in_order[-1][0] - 360
    for place, node in in_order:
        lengths[node] += place - before
        before = place
    return lengths


def place_bounded_cases() -> Iterator[Arguments]:
    yield {"k": 15, "l": 16, "m": 17, "n": 100}, {"A": 20, "B": 90, "C": 180}, 25
    yield {"k": 15, "l": 15, "m": 15, "n": 15}, {"A": 20, "B": 90}, 50
    yield {"k": 300}, {"A": 20, "B": 90}, 1
    yield {}, {"A": 20}, 25
    # 110% of 50 over 5 nodes is exactly 11 each; in floats a little more.
    fifty = {f"{i:02}": 19 for i in range(50)}
    yield fifty, {"A": 20, "B": 90, "C": 180, "D": 270, "E": 350}, 10
    random = Random(4)
    for num_keys, num_nodes, percent in ((12, 4, 25), (30, 7, 5), (20, 3, 300)):
        yield *random_ring(random, num_keys, num_nodes), percent


def place_bounded(keys: Positions, nodes: Positions, percent: int) -> dict[str, str]:
    """Keys in the order of their names, each to the first node clockwise with room."""
    cap = ceil_div((100 + percent) * len(keys), 100 * len(nodes))
    loads = dict.fromkeys(nodes, 0)
    found = {}
    for key in sorted(keys):
        clockwise = sorted(nodes, key=lambda node: (nodes[node] - keys[key]) % 360)
        found[key] = next(node for node in clockwise if loads[node] < cap)
        loads[found[key]] += 1
    return found


def who_moves_cases() -> Iterator[Arguments]:
    yield {"k": 15, "l": 16, "m": 17, "n": 100}, {"A": 20, "B": 90, "C": 180}, 25, "k"
    yield {"k": 15, "l": 16, "m": 17, "n": 18}, {"A": 20, "B": 90}, 1, "k"
    yield {"k": 15}, {"A": 20}, 25, "k"
    # The cap falls from 3 to 2, so that a key must leave, though a place became free.
    yield {"k": 15, "l": 15, "m": 15, "n": 85}, {"A": 20, "B": 90}, 40, "n"
    random = Random(5)
    for num_keys, num_nodes, percent in ((12, 4, 20), (30, 7, 5), (40, 9, 10)):
        keys, nodes = random_ring(random, num_keys, num_nodes)
        yield from ((keys, nodes, percent, key) for key in random.sample([*keys], 3))


def who_moves(
    keys: Positions, nodes: Positions, percent: int, removed: str
) -> list[str]:
    before = place_bounded(keys, nodes, percent)
    remaining = {key: place for key, place in keys.items() if key != removed}
    after = place_bounded(remaining, nodes, percent)
    return sorted(key for key in remaining if before[key] != after[key])


def ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def random_points(random: Random, num_nodes: int, virtual_nodes: int) -> Points:
    """No two points at one place."""
    places = random.sample(range(360), num_nodes * virtual_nodes)
    return {f"n{i}": places[i::num_nodes] for i in range(num_nodes)}


def random_ring(
    random: Random, num_keys: int, num_nodes: int
) -> tuple[Positions, Positions]:
    nodes = zip(range(num_nodes), random.sample(range(360), num_nodes), strict=True)
    keys = {f"k{i:02}": random.randrange(120) for i in range(num_keys)}
    return keys, {f"n{i}": place for i, place in nodes}


EXERCISES = {
    "moved_by_modulo": Exercise(
        "(hashes, num_nodes) -> number of keys that move",
        moved_by_modulo_cases,
        equals(moved_by_modulo),
    ),
    "owner": Exercise("(position, points) -> node", owner_cases, equals(owner)),
    "arc_lengths": Exercise(
        "(points) -> degrees of each node", arc_lengths_cases, equals(arc_lengths)
    ),
    "place_bounded": Exercise(
        "(keys, nodes, percent) -> node of each key",
        place_bounded_cases,
        equals(place_bounded),
    ),
    "who_moves": Exercise(
        "(keys, nodes, percent, removed) -> names of the keys that move",
        who_moves_cases,
        equals(who_moves),
    ),
}
