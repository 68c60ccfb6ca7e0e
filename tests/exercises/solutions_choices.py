"""The solutions that the chapter on two choices shows; the tests check them."""

from math import comb


def next_ball(loads):
    n = len(loads)
    chances = []
    for load in loads:
        longer = sum(other > load for other in loads)
        equal = loads.count(load) - 1
        # of the n(n-1)/2 pairs, those with a longer one are won, half of the ties
        chances.append((longer + equal / 2) / (n * (n - 1) / 2))
    return chances


def distinct_pairs(n, numbers):
    pairs = []
    for u, v in numbers:
        first = int(u * n)
        second = int(v * (n - 1))
        if second >= first:  # close the gap that the first leaves
            second += 1
        pairs.append([first, second])
    return pairs


def queue_tail(utilisation, d, levels):
    shares = [1.0]
    for _ in range(levels):
        shares.append(utilisation * shares[-1] ** d)
    return shares


def believed_lengths(reports, sent):
    lengths = [length for length, _ in reports]
    for server, when in sent:
        if when > reports[server][1]:
            lengths[server] += 1
    return lengths


def maximum_chances(num_balls, num_bins):
    at_most = [0]
    for k in range(num_balls + 1):
        # ways[m]: m different balls in the bins so far, at most k in each
        ways = [1] + [0] * num_balls
        for _ in range(num_bins):
            ways = [
                sum(comb(m, j) * ways[m - j] for j in range(min(m, k) + 1))
                for m in range(num_balls + 1)
            ]
        at_most.append(ways[num_balls])
    total = num_bins**num_balls
    return [(at_most[k + 1] - at_most[k]) / total for k in range(num_balls + 1)]
