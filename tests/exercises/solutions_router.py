"""The solutions that the router chapter shows; the tests run them through `check`."""

from zlib import crc32


def owner_with_room(order, loads, percent, floor, work):
    total = sum(loads.values()) + work
    # -(-a // b) rounds a / b up, without floats
    cap = max(floor, -(-(100 + percent) * total // (100 * len(loads))))
    for steps, name in enumerate(order):
        if loads[name] < cap:
            return name, steps, False
    return min(order, key=loads.get), len(order), True


def rendezvous(sessions, names):
    def score(session, name):
        return crc32(f"{session} {name}".encode())

    return [max(names, key=lambda name: score(s, name)) for s in sessions]


def believed_load(report, sent, back):
    taken, total, mine = report
    foreign = max(total - mine, 0)
    recent = included = base = 0
    for name, time, work in sent:
        if time > taken:  # the report cannot know of it
            recent += work if name not in back else 0
        else:
            included += work if name not in back else 0
            base += work if name not in back or back[name] > taken else 0
    return foreign + recent + (included * mine // base if base else 0)


def replicas_over_time(work, share, patience):
    demand, replicas, cool = 0, 1, 0
    counts = []
    for amount in work:
        demand = (demand + amount) // 2
        wanted = max(-(-demand // share), 1)
        # 70% of one replica fewer would do
        if wanted < replicas and 10 * demand < 7 * share * (replicas - 1):
            cool += 1
        else:
            cool = 0
        if wanted > replicas or cool >= patience:
            replicas, cool = wanted, 0
        counts.append(replicas)
    return counts


def answered_by(events, load, grace):
    serving = waiting = 0
    incoming, ready, deadline = None, 0, 0
    answers = {}
    for time, kind, number in events:
        # Nothing happens between events, so what was due by now is found here.
        if (
            incoming is not None
            and ready <= time
            and (waiting == 0 or deadline <= time)
        ):
            serving, incoming = incoming, None
        if kind == "push":
            if number > (serving if incoming is None else incoming):
                incoming, ready, deadline = number, time + load, time + grace
        elif kind == "wait":
            waiting += 1
        else:
            waiting -= 1
            answers[number] = serving
    return answers
