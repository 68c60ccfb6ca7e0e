"""How properties are tested, here and under Pyodide.

The same examples in every run, so that a failure in CI can be repeated anywhere. Times
vary too much between machines for a limit on one example.
"""

import hypothesis

hypothesis.settings.register_profile("book", derandomize=True, deadline=None)
hypothesis.settings.load_profile("book")
