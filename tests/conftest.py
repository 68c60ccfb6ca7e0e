"""Settings that must stand before any test module is imported."""

import os

import hypothesis
import torch

# Without a GPU the Triton kernels run in Triton's interpreter, which is chosen when
# they are imported.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"

# The same examples in every run, so that a failure in CI can be repeated anywhere.
# Times vary too much between machines for a limit on one example.
hypothesis.settings.register_profile("book", derandomize=True, deadline=None)
hypothesis.settings.load_profile("book")
