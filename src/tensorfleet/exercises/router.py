"""The exercises of the chapter on the router."""

from collections.abc import Iterator
from random import Random
from zlib import crc32

from tensorfleet.exercises.checking import Arguments, Exercise, equals

Sent = tuple[str, int, int]
Event = tuple[int, str, int]


def owner_with_room_cases() -> Iterator[Arguments]:
    yield ["b", "c", "a"], {"a": 1, "b": 3, "c": 0}, 50, 1, 1
    yield ["a", "b"], {"a": 1, "b": 0}, 50, 1, 1
    yield ["a", "b"], {"a": 3, "b": 0}, 50, 4, 1  # the floor
    yield ["c", "a", "b"], {"a": 7, "b": 7, "c": 8}, 1, 1, 1  # 7.4 is rounded up
    yield ["a", "b"], {"a": 2, "b": 2}, 10, 1, 1
    yield ["a", "b"], {"a": 9, "b": 8, "c": 0}, 5, 1, 1  # both in reach are full
    random = Random(1)
    for num_nodes in (1, 3, 9):
        names = [f"n{number}" for number in range(num_nodes)]
        for _ in range(6):
            loads = {name: random.randrange(40) for name in names}
            epsilon = random.choice((10, 25, 100))
            floor = random.choice((1, 12))
            work = random.randrange(1, 9)
            order = random.sample(names, random.randrange(num_nodes) + 1)
            yield order, loads, epsilon, floor, work


def owner_with_room(
    order: list[str], loads: dict[str, int], percent: int, floor: int, work: int
) -> list[object]:
    """The first on the ring below the cap; the least loaded if there is none."""
    total = sum(loads.values()) + work
    cap = max(floor, -(-(100 + percent) * total // (100 * len(loads))))
    for steps, name in enumerate(order):
        if loads[name] < cap:
            return [name, steps, False]
    return [min(order, key=loads.__getitem__), len(order), True]


def rendezvous_cases() -> Iterator[Arguments]:
    sessions = [f"session-{number}" for number in range(12)]
    yield sessions, ["gpu-0", "gpu-1", "gpu-2"]
    yield sessions, ["gpu-0", "gpu-2"]
    yield sessions, ["gpu-2", "gpu-1", "gpu-0"]
    yield sessions, ["gpu-7"]
    yield [], ["gpu-0", "gpu-1"]
    yield sessions, [f"gpu-{number}" for number in range(9)]


def rendezvous(sessions: list[str], names: list[str]) -> list[str]:
    return [
        max(names, key=lambda name: crc32(f"{session} {name}".encode()))
        for session in sessions
    ]


def believed_load_cases() -> Iterator[Arguments]:
    sent = [("x", 1, 40), ("y", 3, 40), ("z", 8, 10)]
    yield (5, 100, 60), sent, {}
    yield (5, 100, 60), sent, {"y": 7}
    yield (5, 100, 60), sent, {"x": 2, "z": 9}
    yield (5, 30, 0), [], {}  # all of it is others'
    yield (5, 0, 0), sent, {}  # the report says that nothing is left
    yield (5, 20, 25), [("x", 5, 50)], {}  # sent when the report was taken
    random = Random(3)
    for _ in range(8):
        sent = [
            (f"r{number}", random.randrange(20), random.randrange(1, 50))
            for number in range(12)
        ]
        back = {
            name: time + random.randrange(1, 15)
            for name, time, _ in sent
            if random.random() < 0.5
        }
        mine = random.randrange(120)
        yield (10, mine + random.randrange(100), mine), sent, back


def believed_load(
    report: tuple[int, int, int], sent: list[Sent], back: dict[str, int]
) -> int:
    """foreign + recent + included · reported / base, as in `router.instances`."""
    taken, total, mine = report
    recent = sum(w for name, time, w in sent if time > taken and name not in back)
    included = sum(w for name, time, w in sent if time <= taken and name not in back)
    base = sum(w for name, time, w in sent if time <= taken < back.get(name, taken + 1))
    scaled = included * mine // base if base else 0
    return max(total - mine, 0) + recent + scaled


def replicas_over_time_cases() -> Iterator[Arguments]:
    yield [0, 0, 0], 250, 2
    yield [400, 800, 800, 800, 0, 0, 0, 0, 0], 250, 2
    yield [600, 520, 480, 520, 480, 520, 480, 520], 250, 2  # trembles
    yield [2000, 0, 0, 2000, 0, 0, 0, 0, 0, 0], 250, 3
    yield [2000, 2000, 0, 0, 0, 0, 0], 100, 1
    random = Random(4)
    for patience in (1, 2, 4):
        yield [random.randrange(1500) for _ in range(30)], 250, patience


def replicas_over_time(work: list[int], share: int, patience: int) -> list[int]:
    demand, replicas, cool, counts = 0, 1, 0, []
    for amount in work:
        demand = (demand + amount) // 2
        wanted = max(-(-demand // share), 1)
        has_gap = wanted < replicas and 10 * demand < 7 * share * (replicas - 1)
        cool = cool + 1 if has_gap else 0
        if wanted > replicas or cool >= patience:
            replicas, cool = wanted, 0
        counts.append(replicas)
    return counts


def answered_by_cases() -> Iterator[Arguments]:
    yield [(1, "wait", 1), (2, "start", 1), (9, "wait", 2), (10, "start", 2)], 3, 20
    yield [(1, "push", 1), (2, "wait", 7), (3, "start", 7), (5, "wait", 8)], 3, 20
    # ready at 4 while 7 waits: 7 gets the old one, and the next the new one
    yield (
        [
            (1, "push", 1),
            (2, "wait", 7),
            (6, "start", 7),
            (6, "wait", 8),
            (8, "start", 8),
        ],
        3,
        20,
    )
    # somebody always waits: the deadline decides
    hot: list[Event] = [(1, "push", 1), (2, "wait", 0)]
    for number in range(10):
        hot += [(3 + 2 * number, "wait", number + 1), (4 + 2 * number, "start", number)]
    yield hot, 3, 9
    yield hot, 3, 10**6
    yield hot, 15, 9  # not even loaded when the deadline comes
    # superseded while it loads; a late push of an older one is not news
    yield (
        [
            (1, "push", 2),
            (2, "push", 3),
            (3, "push", 1),
            (5, "wait", 1),
            (5, "start", 1),
            (6, "wait", 2),
            (6, "start", 2),
        ],
        4,
        20,
    )
    random = Random(5)
    for _ in range(6):
        yield _random_events(random), random.randrange(1, 8), random.randrange(1, 15)


def _random_events(random: Random) -> list[Event]:
    """Requests and pushes in order of time; who waits starts in order."""
    events: list[Event] = []
    waiting: list[int] = []
    time = generation = number = 0
    for _ in range(40):
        time += random.randrange(3)
        kind = random.choice(("wait", "wait", "start", "start", "push"))
        if kind == "push":
            generation += random.randrange(2)
            if generation:
                events.append((time, kind, generation))
        elif kind == "wait":
            number += 1
            waiting.append(number)
            events.append((time, kind, number))
        elif waiting:
            events.append((time, kind, waiting.pop(0)))
    return events


def answered_by(events: list[Event], load: int, grace: int) -> dict[int, int]:
    serving, waiting = 0, 0
    incoming: tuple[int, int, int] | None = None  # generation, ready, deadline
    answers: dict[int, int] = {}
    for time, kind, number in events:
        if incoming is not None:
            generation, ready, deadline = incoming
            if ready <= time and (not waiting or deadline <= time):
                serving, incoming = generation, None
        if kind == "push":
            newest = incoming[0] if incoming else serving
            if number > newest:
                incoming = number, time + load, time + grace
        elif kind == "wait":
            waiting += 1
        else:
            waiting -= 1
            answers[number] = serving
    return answers


EXERCISES = {
    "owner_with_room": Exercise(
        "(order, loads, percent, floor, work) -> (name, steps, overflow)",
        owner_with_room_cases,
        equals(owner_with_room),
    ),
    "rendezvous": Exercise(
        "(sessions, names) -> names", rendezvous_cases, equals(rendezvous)
    ),
    "believed_load": Exercise(
        "(report, sent, back) -> load", believed_load_cases, equals(believed_load)
    ),
    "replicas_over_time": Exercise(
        "(work, share, patience) -> counts",
        replicas_over_time_cases,
        equals(replicas_over_time),
    ),
    "answered_by": Exercise(
        "(events, load, grace) -> answers", answered_by_cases, equals(answered_by)
    ),
}
