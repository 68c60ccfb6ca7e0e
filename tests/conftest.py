"""Settings that must stand before any test module is imported."""

import os

import torch

import tests.profile  # noqa: F401 (sets how properties are tested)

# Without a GPU the Triton kernels run in Triton's interpreter, which is chosen when
# they are imported.
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
