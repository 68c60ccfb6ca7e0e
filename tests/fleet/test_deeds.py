"""A deed is the call of a method, kept for later."""

import gc
import pickle

from tensorfleet.fleet.deeds import Deed


class Simulation:
    def __init__(self):
        self.calls = []

    def crash(self, name, *, keep_host):
        self.calls.append((name, keep_host))
        return name


def test_a_deed_does_what_it_says_to_any_simulation():
    one, other = Simulation(), Simulation()
    deed = Deed("crash", "gpu-0", keep_host=False)
    assert deed(one) == "gpu-0"
    pickle.loads(pickle.dumps(deed))(other)
    assert one.calls == other.calls == [("gpu-0", False)]


def test_garbage_that_holds_a_deed_is_collected():
    """Under Pyodide operator.methodcaller does not survive this; see Deed."""
    for _ in range(3):
        deeds = []
        deeds += [Deed("crash", deeds), iter(deeds)]
        del deeds
        gc.collect()
