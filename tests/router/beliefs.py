"""Reports and beliefs for the tests of the router's parts, filled up with blanks."""

from tensorfleet.router.instances import Instance
from tensorfleet.router.messages import AdapterKey, Report

KEY = AdapterKey("a", "m")
OTHER = AdapterKey("b", "m")


def report(name, time, *, incarnation=0, work=0, by_router=None, resident=None, **rest):
    """A report of an instance that is idle, but for what the arguments say."""
    blank = {
        "waiting": 0,
        "running": 0,
        "gpu_util": 0.0,
        "kv_used": 0.0,
        "loading": {},
        "free_slots": 4,
    }
    return Report(
        instance=name,
        incarnation=incarnation,
        time=time,
        work_ns=work,
        work_by_router=by_router or {},
        resident=resident or {},
        **{**blank, **rest},
    )


def belief(name, *, now=0, **said):
    """What a router believes of an instance that has reported once."""
    instance = Instance(name, "m", 1.0, "both", now)
    instance.observe(report(name, 0, **said), "router", now)
    return instance
