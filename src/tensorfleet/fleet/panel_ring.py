"""The hash ring around the router of a live fleet, with the hottest adapters on it.

Each adapter with a colour of its own has a tick where its key hashes to; the first
instances clockwise from there are its homes, as the tick's hint says. The instances'
own places, 64 each, are left out: on a ring of this size nobody could tell them apart.
"""

from functools import lru_cache

from tensorfleet.explore.marks import Line, Mark
from tensorfleet.explore.rings import Ring
from tensorfleet.fleet.panel_cells import Colours
from tensorfleet.fleet.panel_run import LiveRun
from tensorfleet.hashing.digest import CIRCLE, stable_hash
from tensorfleet.router.messages import AdapterKey
from tensorfleet.router.policy import ring_key

HOMES = 2  # named in a hint
TICK = 7


def ring_marks(run: LiveRun, ring: Ring, colours: Colours) -> list[Mark]:
    """The circle, and a tick for each adapter that has a colour."""
    ticks = (_tick(ring, key, role, homes(run, key)) for key, role in colours.items())
    return [_circle(ring), *ticks]


def homes(run: LiveRun, key: AdapterKey) -> tuple[str, ...]:
    """The first instances on the ring, as the first router knows it."""
    pool = run.router.members.policies()[0].pool
    return pool.ring.ring.first(ring_key(key), HOMES) if pool.names else ()


@lru_cache(maxsize=1)
def _circle(ring: Ring) -> Mark:
    return ring.arc(
        "ring", 0, 1, role="muted", stroke=1.5, hint="the ring that keys hash to"
    )


@lru_cache(maxsize=64)
def _tick(ring: Ring, key: AdapterKey, role: str, homes: tuple[str, ...]) -> Mark:
    turn = stable_hash(ring_key(key)) / CIRCLE
    return Line(
        key=f"ring {key.adapter}",
        role=role,
        points=(*ring.at(turn, -TICK), *ring.at(turn, TICK)),
        stroke=4,
        hint=f"{key.adapter} hashes to here; its homes on the ring are "
        f"{' and '.join(homes) or 'none'}",
    )
