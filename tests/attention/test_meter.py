"""Peak memory, against allocations counted by hand."""

import torch

from tensorfleet.attention.meter import PeakMemory

MEGA = 2**20  # values of 1 byte


def make(number=1):
    return torch.zeros(number * MEGA, dtype=torch.uint8)


def test_what_is_freed_makes_room():
    with PeakMemory() as memory:
        first = make()
        second = make(2)
        del first
        third = make()
        del second, third
        assert memory.peak == 3 * MEGA
        make(4)
    assert memory.peak == 4 * MEGA


def test_views_and_what_was_there_before_count_nothing():
    before = make(8)
    with PeakMemory() as memory:
        view = before.view(2, -1).T
        view.add_(1)
        assert memory.peak == 0
        copy = view.contiguous()
        rows = copy[:10]
        del copy  # its storage lives on in a view
        another = make()
    assert memory.peak == 9 * MEGA
    assert len(rows) + len(another) > 0


def test_what_autograd_keeps_is_held():
    x = torch.ones(1000, requires_grad=True)
    with PeakMemory() as memory:
        y = x.exp().exp().exp()  # each result is kept for the way back
    assert memory.peak == 3 * 4 * 1000
    del y


def test_a_result_of_several_tensors():
    with PeakMemory() as memory:
        found = torch.arange(100).sort()
    # The numbers, then sorted values and where they stood, all int64.
    assert memory.peak == 3 * 8 * 100
    assert len(found) == 2
