"""The exercises of the chapter on simulating a fleet."""

from collections.abc import Iterator
from fractions import Fraction
from random import Random

from tensorfleet.exercises.checking import Arguments, Exercise, close_to, equals


def percentile_cases() -> Iterator[Arguments]:
    yield [30, 10, 20], 50
    yield [7], 99
    yield [5, 1, 4, 2, 3, 9, 8, 6, 10, 7], 90
    yield [1, 2, 3, 4], 100
    yield [4, 4, 1, 1], 25
    random = Random(1)
    # 7% and 29% of 100 are a little more than whole in floats.
    for size, percent in ((100, 99), (100, 7), (100, 29), (250, 99), (333, 1)):
        yield [random.randrange(10**6) for _ in range(size)], percent


def percentile(values: list[int], percent: int) -> int:
    """The smallest value that at least `percent` percent of all do not exceed."""
    return next(
        value
        for value in sorted(values)
        if 100 * sum(other <= value for other in values) >= percent * len(values)
    )


def littles_law_cases() -> Iterator[Arguments]:
    yield ([(0, 10)],)
    yield ([(0, 4), (2, 8)],)
    yield ([(5, 6), (9, 15), (20, 21)],)
    yield ([(100, 110), (103, 104), (101, 130)],)
    random = Random(2)
    for size in (20, 200):
        arrivals = [random.randrange(10**6) for _ in range(size)]
        yield ([(time, time + random.randrange(1, 10**5)) for time in arrivals],)


def littles_law(stays: list[tuple[int, int]]) -> list[float]:
    """The number present is followed from change to change, not taken from the law."""
    changes = sorted(
        [(begin, 1) for begin, _ in stays] + [(end, -1) for _, end in stays]
    )
    span = changes[-1][0] - changes[0][0]
    area = present = 0
    before = changes[0][0]
    for time, change in changes:
        area += present * (time - before)
        present, before = present + change, time
    mean_time = sum(end - begin for begin, end in stays) / len(stays)
    return [len(stays) / span, mean_time, area / span]


def lru_hits_cases() -> Iterator[Arguments]:
    yield list("aabcab"), 2
    yield list("abab"), 1
    yield [], 3
    yield list("abcabdabe"), 3
    yield list("abacad"), 2
    random = Random(3)
    for slots in (1, 4, 16):
        # The square makes small numbers frequent.
        yield [f"adapter-{int(random.random() ** 2 * 24)}" for _ in range(200)], slots


def lru_hits(requests: list[str], slots: int) -> int:
    """A hit: fewer than `slots` different others since the adapter was last used."""
    hits = 0
    for place, adapter in enumerate(requests):
        before = requests[:place]
        if adapter in before:
            last = place - 1 - before[::-1].index(adapter)
            hits += len(set(requests[last + 1 : place])) < slots
    return hits


def erlang_c_cases() -> Iterator[Arguments]:
    yield 1, [0.5]
    yield 2, [1.0, 1.9]
    yield 4, [0.0, 3.2]
    yield 16, [8.0, 12.8, 15.9]
    yield 500, [450.0, 495.0]


def erlang_c(servers: int, loads: list[float]) -> list[float]:
    """Erlang's formula C as it is written down, in exact fractions."""
    return [float(_waiting_chance(servers, Fraction(load))) for load in loads]


def _waiting_chance(servers: int, load: Fraction) -> Fraction:
    # terms[k] is load^k / k!
    terms = [Fraction(1)]
    for k in range(1, servers + 1):
        terms.append(terms[-1] * load / k)
    waiting = terms[servers] * servers / (servers - load)
    return waiting / (sum(terms[:servers], Fraction(0)) + waiting)


def steps_done_cases() -> Iterator[Arguments]:
    yield 10, 2, 22
    yield 10, 2, 21
    yield 10, 0, 35
    yield 7, 3, 0
    yield 7, 3, 6
    random = Random(4)
    for steps in (50, 1_000, 100_000):
        # Around the very end of a step; the last is beyond what floats can tell.
        first, growth = random.randrange(10**12), random.randrange(1, 10**9)
        end = steps * first + growth * (steps * (steps - 1) // 2)
        for elapsed in (end - 1, end, end + 1):
            yield first, growth, elapsed


def steps_done(first: int, growth: int, elapsed: int) -> int:
    """Bisection on the sum in closed form."""
    low, high = 0, elapsed // first + 1
    while high - low > 1:
        middle = (low + high) // 2
        if middle * first + growth * (middle * (middle - 1) // 2) <= elapsed:
            low = middle
        else:
            high = middle
    return low


def admitted_cases() -> Iterator[Arguments]:
    ready = ["law", "poems", "tax"]
    yield [("law", 300)], ready, [], 2048, 10_000, 4
    # its adapter is still on its way: the next one passes it
    yield [("math", 300), ("law", 200)], ready, [], 2048, 10_000, 4
    # one adapter too many: passed over; then one that is in the batch already
    yield [("law", 100), ("tax", 50)], ready, ["tax", "poems"], 2048, 10_000, 2
    # no room for the second: it ends the admissions, though the third would fit
    yield [("law", 300), ("tax", 900), ("law", 10)], ready, [], 2048, 1_000, 4
    # the budget ends in the middle of the second, whose whole prompt needs room
    yield [("law", 300), ("tax", 900), ("law", 10)], ready, [], 512, 5_000, 4
    # a new adapter counts from its first request on
    yield [("law", 9), ("tax", 9), ("law", 9), ("poems", 9)], ready, [], 99, 99, 1
    yield [("law", 9)], ready, [], 0, 99, 4
    random = Random(5)
    names = ["law", "poems", "tax", "math", "chess"]
    for _ in range(20):
        waiting = [
            (random.choice(names), random.randrange(1, 600))
            for _ in range(random.randrange(12))
        ]
        on_gpu = random.sample(names, 3)
        batch = random.choices(on_gpu, k=random.randrange(4))
        budget, room = random.randrange(2048), random.randrange(4000)
        most = random.randrange(max(len(set(batch)), 1), 4)
        yield waiting, on_gpu, batch, budget, room, most


def admitted(
    waiting: list[tuple[str, int]],
    ready: list[str],
    batch: list[str],
    budget: int,
    room: int,
    max_adapters: int,
) -> list[list[int]]:
    """The rules of `tensorfleet.fleet.instance`, in its order."""
    adapters, entered = set(batch), []
    for position, (adapter, tokens) in enumerate(waiting):
        if not budget:
            break
        if adapter not in ready or len(adapters | {adapter}) > max_adapters:
            continue
        if tokens > room:
            break
        adapters.add(adapter)
        chunk = min(tokens, budget)
        entered.append([position, chunk])
        budget -= chunk
        room -= tokens
    return entered


EXERCISES = {
    "percentile": Exercise(
        "(values, percent) -> value", percentile_cases, equals(percentile)
    ),
    "littles_law": Exercise(
        "(stays) -> [rate, time, number]", littles_law_cases, close_to(littles_law)
    ),
    "lru_hits": Exercise("(requests, slots) -> hits", lru_hits_cases, equals(lru_hits)),
    "erlang_c": Exercise(
        "(servers, loads) -> chances", erlang_c_cases, close_to(erlang_c)
    ),
    "steps_done": Exercise(
        "(first, growth, elapsed) -> steps", steps_done_cases, equals(steps_done)
    ),
    "admitted": Exercise(
        "(waiting, ready, batch, budget, room, max_adapters) -> entered",
        admitted_cases,
        equals(admitted),
    ),
}
