"""All policies by name."""

from tensorfleet.router.baselines import (
    AllResident,
    BoundedHash,
    BoundedWork,
    ConsistentHash,
    LeastOutstanding,
    LoraAffinity,
    PredictedTtft,
    RandomChoice,
    ResidencyFirst,
    RoundRobin,
    StickyTokens,
    TwoChoices,
)
from tensorfleet.router.notes_policy import Notes
from tensorfleet.router.policy import Policy
from tensorfleet.router.tensorfleet_policy import TensorFleet

POLICIES: dict[str, type[Policy]] = {
    "tensorfleet": TensorFleet,
    "notes": Notes,
    "random": RandomChoice,
    "round_robin": RoundRobin,
    "least_outstanding": LeastOutstanding,
    "two_choices": TwoChoices,
    "consistent_hash": ConsistentHash,
    "bounded_hash": BoundedHash,
    "bounded_work": BoundedWork,
    "residency_first": ResidencyFirst,
    "lora_affinity": LoraAffinity,
    "sticky_tokens": StickyTokens,
    "predicted_ttft": PredictedTtft,
    "all_resident": AllResident,
}
