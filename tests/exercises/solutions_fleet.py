"""The solutions that the chapter on simulating a fleet shows; the tests check them."""

from math import isqrt


def percentile(values, percent):
    rank = -(-percent * len(values) // 100)  # rounded up, in integers
    return sorted(values)[rank - 1]


def littles_law(stays):
    begin = min(arrival for arrival, _ in stays)
    span = max(end for _, end in stays) - begin
    total = sum(end - arrival for arrival, end in stays)
    return [len(stays) / span, total / len(stays), total / span]


def lru_hits(requests, slots):
    resident = []  # the least recently used first
    hits = 0
    for adapter in requests:
        if adapter in resident:
            hits += 1
            resident.remove(adapter)
        elif len(resident) == slots:
            resident.pop(0)
        resident.append(adapter)
    return hits


def erlang_c(servers, loads):
    chances = []
    for load in loads:
        lost = 1.0  # Erlang's formula B, from no server up
        for k in range(1, servers + 1):
            lost = load * lost / (k + load * lost)
        chances.append(servers * lost / (servers - load * (1 - lost)))
    return chances


def steps_done(first, growth, elapsed):
    if growth == 0:
        return elapsed // first
    b = 2 * first - growth
    return (isqrt(b * b + 8 * growth * elapsed) - b) // (2 * growth)


def admitted(waiting, ready, batch, budget, room, max_adapters):
    adapters = set(batch)
    entered = []
    for position, (adapter, tokens) in enumerate(waiting):
        if budget == 0:
            break
        if adapter not in ready:
            continue
        if adapter not in adapters and len(adapters) >= max_adapters:
            continue
        if tokens > room:
            break
        chunk = min(tokens, budget)
        entered.append([position, chunk])
        adapters.add(adapter)
        budget -= chunk
        room -= tokens
    return entered
