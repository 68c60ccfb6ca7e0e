"""How much memory a computation holds at its peak, counted exactly on any device.

Between PyTorch and its operators stands a place where every operation can be watched
(torch.utils._python_dispatch). `PeakMemory` adds the bytes of each new tensor there,
takes them off again when its storage is freed, and remembers the largest sum. Views
share the storage that they look at and count nothing, nor do tensors from before.

The count depends on no allocator, which rounds sizes up and keeps what was freed, and
is the same on every machine. For the same reason it cannot see what an operator
allocates inside and frees before it returns: of a fused operator it knows the results.
What CUDA really held, torch.cuda.max_memory_allocated tells.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import finalize

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is allocated inside `with PeakMemory() as memory:`.

    `memory.peak` is the most bytes that were held at one time.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._held = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        given = {id(storage) for storage in _storages((args, kwargs))}
        result = func(*args, **kwargs)
        for storage in _storages(result):
            if id(storage) not in given and id(storage) not in self._known:
                self._known.add(id(storage))
                self._held += storage.nbytes()
                finalize(storage, self._freed, id(storage), storage.nbytes())
        self.peak = max(self.peak, self._held)
        return result

    def _freed(self, storage: int, num_bytes: int) -> None:
        self._known.discard(storage)
        self._held -= num_bytes


def _storages(tree: object) -> list[torch.UntypedStorage]:
    """Those of all tensors in nested lists, tuples and dictionaries."""
    leaves = tree_leaves(tree)
    return [x.untyped_storage() for x in leaves if isinstance(x, torch.Tensor)]
