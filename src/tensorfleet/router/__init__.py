"""A global router for LoRA requests over many instances.

`router.Router` decides and counts; `tensorfleet_policy` is how it chooses by default,
`notes_policy` the design of the notes, `baselines` what others do. `scaling` and
`revisions` are the two background loops, `runner` drives them in threads.
"""

from tensorfleet.router.config import RouterConfig, WorkCosts
from tensorfleet.router.messages import AdapterKey, Decision, Report, Request, Revision
from tensorfleet.router.router import Router

__all__ = [
    "AdapterKey",
    "Decision",
    "Report",
    "Request",
    "Revision",
    "Router",
    "RouterConfig",
    "WorkCosts",
]
