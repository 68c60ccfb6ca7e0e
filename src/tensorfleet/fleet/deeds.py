"""What is done to a simulation, as a value that can be kept, repeated and pickled."""

from typing import Any


class Deed:
    """`Deed("crash", "gpu-0")(simulation)` is `simulation.crash("gpu-0")`.

    The standard library's `operator.methodcaller` is the same, but it kills the Python
    of a browser (Pyodide 314.0.7) when the collector finds one in a cycle of garbage,
    such as a replay that is let go: the C function that clears it has not the type that
    the collector calls, which WebAssembly checks and processors do not.
    """

    def __init__(self, method: str, *arguments: Any, **named: Any) -> None:
        self.method = method
        self.arguments = arguments
        self.named = named

    def __call__(self, simulation: Any) -> Any:
        return getattr(simulation, self.method)(*self.arguments, **self.named)
