"""Proximal policy optimization: value, advantage, policy, and how one learns from them.

`mdp` solves small decision processes exactly, `reference` holds the definitions of
returns, advantage estimates and the clipped objective. This package exports what the
standard library can run.
"""

from tensorfleet.ppo.mdp import (
    COURIER,
    MDP,
    Episode,
    Outcome,
    action_values,
    advantages,
    sample_episode,
    state_values,
)
from tensorfleet.ppo.reference import (
    clipped_slope,
    clipped_surrogate,
    discounted_returns,
    gae,
    gae_backwards,
    group_advantages,
    td_errors,
)

__all__ = [
    "COURIER",
    "MDP",
    "Episode",
    "Outcome",
    "action_values",
    "advantages",
    "clipped_slope",
    "clipped_surrogate",
    "discounted_returns",
    "gae",
    "gae_backwards",
    "group_advantages",
    "sample_episode",
    "state_values",
    "td_errors",
]
