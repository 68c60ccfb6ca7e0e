"""A fleet of model instances in simulated time, to try routers in.

`simulate` runs a scenario under a policy and returns what it was like; `scenarios` says
what there is to run. Below it are the workloads (`workloads`, `traces`), the fleet
(`simulation`, `instance`) and the metrics.
"""

from tensorfleet.fleet.result import Comparison, Result
from tensorfleet.fleet.running import simulate
from tensorfleet.fleet.scenario import Scenario
from tensorfleet.fleet.scenarios import SCENARIOS

__all__ = ["SCENARIOS", "Comparison", "Result", "Scenario", "simulate"]
