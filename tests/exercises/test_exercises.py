"""Solutions pass, wrong answers fail, and the messages help."""

from importlib import import_module
from itertools import accumulate, takewhile
from math import ceil, factorial
from zlib import crc32

import numpy as np
import pytest
import torch

from tensorfleet.exercises import ExerciseFailed, check, exercises

CHAPTERS = ["scatter", "ppo", "hashing", "choices", "router", "fleet"]
NAMES = [f"{chapter}.{name}" for chapter in CHAPTERS for name in exercises(chapter)]


def solution(name):
    chapter, _, exercise = name.partition(".")
    return getattr(import_module(f"tests.exercises.solutions_{chapter}"), exercise)


def added(pairs, num_places):
    sums = [0.0] * num_places
    for target, value in pairs:
        sums[target] += value
    return sums


def placed_with_cap(keys, nodes, cap):
    free, placed = dict.fromkeys(nodes, cap), {}
    for key in sorted(keys):
        clockwise = sorted(nodes, key=lambda n: (nodes[n] - keys[key]) % 360)
        placed[key] = next((n for n in clockwise if free[n]), None)
        if placed[key]:
            free[placed[key]] -= 1
    return placed


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


@pytest.mark.parametrize("name", NAMES)
def test_solution_passes(name):
    result = check(name, solution(name))
    assert result.num_cases >= 5
    assert repr(result) == f"{name}: correct on all {result.num_cases} cases"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "wrong", [lambda *_: None, lambda *_: [], lambda first, *_: first]
)
def test_wrong_answers_fail(name, wrong):
    with pytest.raises(ExerciseFailed, match=f"{name} fails on case"):
        check(name, wrong)


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        # bins that hold a value, not how many
        (
            "scatter.histogram",
            lambda values, num_bins: [int(v in values) for v in range(num_bins)],
        ),
        # forgets the bins behind the largest value
        (
            "scatter.histogram",
            lambda values, _: [
                values.count(v) for v in range(max(values, default=-1) + 1)
            ],
        ),
        # the gradient as if the row stayed and the index named the column
        (
            "scatter.source_gradient",
            lambda g, index: [
                [g[i % len(g)][t % len(g[0])] for t in r] for i, r in enumerate(index)
            ],
        ),
        # divides by all elements
        (
            "scatter.segment_mean",
            lambda values, segment, n: [
                sum(v for v, s in zip(values, segment, strict=True) if s == k)
                / max(len(values), 1)
                for k in range(n)
            ],
        ),
        # counts distinct indices instead of repeated ones
        (
            "scatter.serial_steps",
            lambda indices, lanes: sum(
                len(set(indices[i : i + lanes])) for i in range(0, len(indices), lanes)
            ),
        ),
        # adds in the order in which the pairs come
        ("scatter.order_free_add", lambda pairs, n: added(pairs, n)),
        # sorts, which is the same in any order but not exact
        ("scatter.order_free_add", lambda pairs, n: added(sorted(pairs), n)),
        # Python's sum, which compensates since 3.12, but not enough
        (
            "scatter.order_free_add",
            lambda pairs, n: [sum(v for t, v in pairs if t == k) for k in range(n)],
        ),
        # counts the keys that stay
        (
            "hashing.moved_by_modulo",
            lambda hashes, n: sum(h % n == h % (n + 1) for h in hashes),
        ),
        # counts what a ring would move
        ("hashing.moved_by_modulo", lambda hashes, n: len(hashes) // (n + 1)),
        # the nearest point in either direction
        (
            "hashing.owner",
            lambda position, points: min(
                points,
                key=lambda n: min(
                    min((p - position) % 360, (position - p) % 360) for p in points[n]
                ),
            ),
        ),
        # a point does not own its own position
        (
            "hashing.owner",
            lambda position, points: min(
                ((p - position - 1) % 360, n) for n in points for p in points[n]
            )[1],
        ),
        # gives each point the arc that follows it
        (
            "hashing.arc_lengths",
            lambda points: {
                n: sum(
                    min((q - p - 1) % 360 + 1 for qs in points.values() for q in qs)
                    for p in places
                )
                for n, places in points.items()
            },
        ),
        # the cap in floats, one too high where the product is a little more than whole
        (
            "hashing.place_bounded",
            lambda keys, nodes, percent: placed_with_cap(
                keys, nodes, ceil((1 + percent / 100) * len(keys) / len(nodes))
            ),
        ),
        # the cap rounded down
        (
            "hashing.place_bounded",
            lambda keys, nodes, percent: placed_with_cap(
                keys, nodes, max((100 + percent) * len(keys) // (100 * len(nodes)), 1)
            ),
        ),
        # a bound forgotten
        (
            "hashing.place_bounded",
            lambda keys, nodes, percent: placed_with_cap(keys, nodes, len(keys)),
        ),
        # keeps the old cap
        (
            "hashing.who_moves",
            lambda keys, nodes, percent, removed: [
                key
                for cap in [-(-(100 + percent) * len(keys) // (100 * len(nodes)))]
                for key, node in placed_with_cap(
                    {k: p for k, p in keys.items() if k != removed}, nodes, cap
                ).items()
                if placed_with_cap(keys, nodes, cap)[key] != node
            ],
        ),
        # draws the second bin from all, so that a bin may meet itself
        (
            "choices.next_ball",
            lambda loads: [
                (2 * sum(o > x for o in loads) + loads.count(x)) / len(loads) ** 2
                for x in loads
            ],
        ),
        # gives every tie to the bin on the left
        (
            "choices.next_ball",
            lambda loads: [
                sum((o, j) > (x, i) for j, o in enumerate(loads))
                / (len(loads) * (len(loads) - 1) / 2)
                for i, x in enumerate(loads)
            ],
        ),
        # may give the same index twice
        (
            "choices.distinct_pairs",
            lambda n, numbers: [[int(u * n), int(v * n)] for u, v in numbers],
        ),
        # takes the neighbour instead of the same one, which is then twice as likely
        (
            "choices.distinct_pairs",
            lambda n, numbers: [
                [int(u * n), (int(v * n) + (int(u * n) == int(v * n))) % n]
                for u, v in numbers
            ],
        ),
        # one choice, whatever d is
        (
            "choices.queue_tail",
            lambda utilisation, d, levels: [utilisation**i for i in range(levels + 1)],
        ),
        # counts what the report already holds
        (
            "choices.believed_lengths",
            lambda reports, sent: [
                length + sum(s == server for s, _ in sent)
                for server, (length, _) in enumerate(reports)
            ],
        ),
        # the chance of at most k instead of exactly k
        (
            "choices.maximum_chances",
            lambda m, n: list(accumulate(solution("choices.maximum_chances")(m, n))),
        ),
        # the cap without the request that is to be placed
        (
            "router.owner_with_room",
            lambda order, loads, percent, floor, work: solution(
                "router.owner_with_room"
            )(order, loads, percent, floor, 0),
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
            lambda order, loads, percent, floor, work: solution(
                "router.owner_with_room"
            )(order, loads, percent, 1, work),
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
            lambda work, share, patience: solution("router.replicas_over_time")(
                work, share, 1
            ),
        ),
        # patience without the gap between the two thresholds
        (
            "router.replicas_over_time",
            lambda work, share, patience: replicas_without_a_gap(work, share, patience),
        ),
        # no deadline: waits until nothing waits
        (
            "router.answered_by",
            lambda events, load, grace: solution("router.answered_by")(
                events, load, 10**9
            ),
        ),
        # swaps as soon as it is loaded
        (
            "router.answered_by",
            lambda events, load, grace: solution("router.answered_by")(events, load, 0),
        ),
        # swaps at the deadline whether it is loaded or not
        (
            "router.answered_by",
            lambda events, load, grace: solution("router.answered_by")(
                events, min(load, grace), grace
            ),
        ),
        # the rank rounded to the nearest
        (
            "fleet.percentile",
            lambda values, p: sorted(values)[max(round(p * len(values) / 100), 1) - 1],
        ),
        # the rank rounded up in floats, where 0.07 times 100 is more than 7
        (
            "fleet.percentile",
            lambda values, p: sorted(values)[ceil(p / 100 * len(values)) - 1],
        ),
        # a percentile between two values
        (
            "fleet.percentile",
            lambda values, p: float(np.percentile(values, p)),
        ),
        # counts time from 0 instead of from the first arrival
        (
            "fleet.littles_law",
            lambda stays: [
                len(stays) / max(e for _, e in stays),
                sum(e - b for b, e in stays) / len(stays),
                sum(e - b for b, e in stays) / max(e for _, e in stays),
            ],
        ),
        # first in, first out
        (
            "fleet.lru_hits",
            lambda requests, slots: sum(
                adapter in loads[-slots:]
                for loads in [[]]
                for adapter in requests
                if adapter in loads[-slots:] or loads.append(adapter)
            ),
        ),
        # Erlang's formula B: the chance to be turned away where nobody may wait
        (
            "fleet.erlang_c",
            lambda servers, loads: [
                (load**servers / factorial(servers))
                / sum(load**k / factorial(k) for k in range(servers + 1))
                for load in loads
            ],
        ),
        # the utilisation, which is the chance to wait at a single server only
        (
            "fleet.erlang_c",
            lambda servers, loads: [load / servers for load in loads],
        ),
        # the quadratic in floats
        (
            "fleet.steps_done",
            lambda first, growth, elapsed: (
                int(
                    (
                        ((2 * first - growth) ** 2 + 8 * growth * elapsed) ** 0.5
                        - (2 * first - growth)
                    )
                    / (2 * growth)
                )
                if growth
                else elapsed // first
            ),
        ),
        # a step that does not grow
        ("fleet.steps_done", lambda first, growth, elapsed: elapsed // first),
        # a request without its adapter holds up those behind it
        (
            "fleet.admitted",
            lambda waiting, ready, *rest: solution("fleet.admitted")(
                list(takewhile(lambda w: w[0] in ready, waiting)), ready, *rest
            ),
        ),
        # room for the chunk only, not for the whole prompt
        (
            "fleet.admitted",
            lambda waiting, ready, batch, budget, room, most: solution(
                "fleet.admitted"
            )(waiting, ready, batch, budget, max(room, 10**9), most),
        ),
        # every request counts as an adapter of its own
        (
            "fleet.admitted",
            lambda waiting, ready, batch, budget, room, most: solution(
                "fleet.admitted"
            )(waiting, ready, batch, budget, room, most)[: max(most - len(batch), 0)],
        ),
        # what has come so far, not what is still to come
        (
            "ppo.returns",
            lambda rewards, gamma: list(
                accumulate(rewards, lambda s, r: gamma * s + r)
            ),
        ),
        # no discount
        (
            "ppo.returns",
            lambda rewards, gamma: solution("ppo.returns")(rewards, 1),
        ),
        # the plain mean instead of the policy's
        (
            "ppo.advantages",
            lambda policy, values: [q - sum(values) / len(values) for q in values],
        ),
        # truncated as if terminated: nothing follows
        (
            "ppo.gae",
            lambda r, v, n, done, cut, *rest: solution("ppo.gae")(
                r, v, n, [a or b for a, b in zip(done, cut, strict=True)], cut, *rest
            ),
        ),
        # terminated as if truncated: the critic is asked about the end
        (
            "ppo.gae",
            lambda r, v, n, done, cut, *rest: solution("ppo.gae")(
                r,
                v,
                n,
                [False] * len(r),
                [a or b for a, b in zip(done, cut, strict=True)],
                *rest,
            ),
        ),
        # errors that pass from an episode to the one before, where it was cut off
        (
            "ppo.gae",
            lambda r, v, n, done, cut, *rest: solution("ppo.gae")(
                r, v, n, done, [False] * len(r), *rest
            ),
        ),
        # clipped on both sides, so that a step too far is never undone
        (
            "ppo.clipped_gradient",
            lambda ratios, advantages, epsilon: [
                a if 1 - epsilon <= ratio <= 1 + epsilon else 0.0
                for ratio, a in zip(ratios, advantages, strict=True)
            ],
        ),
        # no clip
        (
            "ppo.clipped_gradient",
            lambda ratios, advantages, epsilon: list(advantages),
        ),
        # the other order
        (
            "ppo.combine",
            lambda earlier, later: solution("ppo.combine")(later, earlier),
        ),
        # the reward as a weight, not its exponential
        (
            "ppo.tilted",
            lambda reference, rewards, beta: [
                p * r / sum(map(lambda a, b: a * b, reference, rewards))
                for p, r in zip(reference, rewards, strict=True)
            ],
        ),
        # an exponential that overflows
        (
            "ppo.tilted",
            lambda reference, rewards, beta: [
                p * np.exp(r / beta) / sum(np.exp(x / beta) for x in rewards)
                for p, r in zip(reference, rewards, strict=True)
            ],
        ),
    ],
)
def test_likely_mistakes_fail(name, mistake):
    with pytest.raises(ExerciseFailed):
        check(name, mistake)


def test_the_message_shows_call_answer_and_expectation():
    with pytest.raises(ExerciseFailed) as failure:
        check("scatter.histogram", lambda values, num_bins: [0] * num_bins)
    assert str(failure.value) == (
        "scatter.histogram fails on case 1.\n"
        "called with ([0, 1, 1, 3], 5)\n"
        "returned [0, 0, 0, 0, 0]\n"
        "expected [1, 2, 0, 1, 0]"
    )
    assert failure.value._render_traceback_() == str(failure.value).splitlines()


def test_an_answer_that_raises_is_told_so():
    with pytest.raises(
        ExerciseFailed,
        match=r"raised ZeroDivisionError: division by zero\nin line \d+ of <lambda>",
    ):
        check("scatter.histogram", lambda *_: 1 / 0)


def test_an_answer_that_changes_its_arguments_is_told_so():
    def histogram(values, num_bins):
        counts = solution("scatter.histogram")(values, num_bins)
        values.clear()
        return counts

    with pytest.raises(ExerciseFailed, match="changed its arguments"):
        check("scatter.histogram", histogram)


def test_tensors_and_arrays_are_answers_too():
    assert check(
        "scatter.histogram",
        lambda v, n: np.bincount(np.array(v, dtype=int), minlength=n),
    )
    assert check(
        "scatter.histogram",
        lambda v, n: torch.bincount(torch.tensor(v, dtype=torch.long), minlength=n),
    )


def test_float32_and_another_order_of_operations_are_close_enough_for_a_mean():
    def segment_mean(values, segment, num_segments):
        totals = torch.zeros(num_segments).index_add(
            0, torch.tensor(segment, dtype=torch.long), torch.tensor(values)
        )
        counts = torch.bincount(
            torch.tensor(segment, dtype=torch.long), minlength=num_segments
        )
        return totals / counts.clamp(min=1)

    assert check("scatter.segment_mean", segment_mean)
    with pytest.raises(ExerciseFailed, match="returned"):
        check("scatter.segment_mean", lambda *given: segment_mean(*given) * 1.0001)


def test_a_wrong_number_of_parameters_is_told_so():
    with pytest.raises(ExerciseFailed) as failure:
        check("scatter.histogram", lambda values: values)
    assert "your function takes (values); it must accept (values, num_bins)" in str(
        failure.value
    )


def test_unknown_names():
    with pytest.raises(ValueError, match=r"the chapter has scatter\.histogram"):
        check("scatter.histo", print)
    with pytest.raises(
        ValueError,
        match=r"no exercises for the chapter 'scater': there are some for .*scatter",
    ):
        check("scater.histogram", print)
    with pytest.raises(TypeError, match="must be a function"):
        check("scatter.histogram", 7)
