"""Where a Triton kernel may be launched: on CUDA tensors, or interpreted on the CPU's.

Imported by the `kernel` modules alone, since Triton is not there on every machine.
"""

import triton
from torch import Tensor


def check_runs_here(tensor: Tensor, kernel: object, module: str) -> None:
    """Refuse a tensor on which a launch of `kernel` would fail obscurely.

    `module` is the name of the kernel's own. Raises RuntimeError for a tensor that is
    on neither CUDA nor CPU, and for one on the CPU unless the kernel is interpreted.
    """
    where = tensor.device.type
    if where in ("cpu", "cuda") and not (
        where == "cpu" and isinstance(kernel, triton.runtime.JITFunction)
    ):
        return
    raise RuntimeError(
        f"a tensor is on {tensor.device}: the kernels of {module} run on CUDA tensors; "
        "for CPU tensors set TRITON_INTERPRET=1 in the environment before it is "
        f"imported, or use {module.replace('kernel', 'ops')}"
    )
