"""Likely mistakes in the exercises on the router: `check` must find each of them."""

from zlib import crc32

from tests.exercises import solutions_router as solutions


def replicas_without_a_gap(work, share, patience):
    demand, replicas, cool, counts = 0, 1, 0, []
    for amount in work:
        demand = (demand + amount) // 2
        wanted = max(-(-demand // share), 1)
        cool = cool + 1 if wanted < replicas else 0
        if wanted > replicas or cool >= patience:
            replicas, cool = wanted, 0
        counts.append(replicas)
    return counts


# Each with what it does wrong.
MISTAKES = [
    # the cap without the request that is to be placed
    (
        "router.owner_with_room",
        lambda order, loads, percent, floor, work: solutions.owner_with_room(
            order, loads, percent, floor, 0
        ),
    ),
    # the cap rounded down
    (
        "router.owner_with_room",
        lambda order, loads, percent, floor, work: next(
            (
                [name, steps, False]
                for steps, name in enumerate(order)
                if loads[name]
                < max(
                    floor,
                    (100 + percent)
                    * (sum(loads.values()) + work)
                    // (100 * len(loads)),
                )
            ),
            [min(order, key=loads.get), len(order), True],
        ),
    ),
    # the floor forgotten
    (
        "router.owner_with_room",
        lambda order, loads, percent, floor, work: solutions.owner_with_room(
            order, loads, percent, 1, work
        ),
    ),
    # a hash modulo n, which moves almost everyone when an instance leaves
    (
        "router.rendezvous",
        lambda sessions, names: [
            names[crc32(session.encode()) % len(names)] for session in sessions
        ],
    ),
    # the report alone
    ("router.believed_load", lambda report, sent, back: report[1]),
    # what the router counts, alone
    (
        "router.believed_load",
        lambda report, sent, back: sum(w for n, _, w in sent if n not in back),
    ),
    # adds all that is out, although the report has most of it
    (
        "router.believed_load",
        lambda report, sent, back: (
            report[1] + sum(w for n, _, w in sent if n not in back)
        ),
    ),
    # shrinks as soon as fewer are wanted
    (
        "router.replicas_over_time",
        lambda work, share, patience: solutions.replicas_over_time(work, share, 1),
    ),
    # patience without the gap between the two thresholds
    (
        "router.replicas_over_time",
        lambda work, share, patience: replicas_without_a_gap(work, share, patience),
    ),
    # no deadline: waits until nothing waits
    (
        "router.answered_by",
        lambda events, load, grace: solutions.answered_by(events, load, 10**9),
    ),
    # swaps as soon as it is loaded
    (
        "router.answered_by",
        lambda events, load, grace: solutions.answered_by(events, load, 0),
    ),
    # swaps at the deadline whether it is loaded or not
    (
        "router.answered_by",
        lambda events, load, grace: solutions.answered_by(
            events, min(load, grace), grace
        ),
    ),
]
