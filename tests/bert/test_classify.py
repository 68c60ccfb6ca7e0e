"""A task read off [CLS]: its examples, what is taught, and that it learns."""

from random import Random

import pytest
import torch

from tensorfleet.bert.classify import (
    SHARE_TO_LEARN,
    Classifier,
    Example,
    examples,
    fine_tune,
    labels_given,
    summaries,
)
from tensorfleet.bert.model import Bert, Config
from tensorfleet.bert.training import Recipe

CONFIG = Config(num_words=40, length=12, width=16, num_heads=2, num_layers=1)


def encoder():
    return Bert(CONFIG, seed=0)


def test_examples_to_learn_from_and_of_the_test_share_no_token():
    documents = [list(range(100)), list(range(100, 180))]
    learn, test = examples(documents, 10)
    for label, document in enumerate(documents):
        known = {n for e in learn if e.label == label for n in e.segment}
        asked = [n for e in test if e.label == label for n in e.segment]
        assert not known & set(asked)
        assert known | set(asked) <= set(document)
        assert len(set(asked)) == len(asked)  # no two of the test overlap
        border = document[int(SHARE_TO_LEARN * len(document))]
        assert max(known) < border <= min(asked)
    assert all(len(each.segment) == 10 for each in learn + test)


def test_summaries_do_not_depend_on_what_else_is_in_the_batch():
    segments = [(5, 6, 7), (8, 9, 10, 11, 12, 13), (14,)]
    together = summaries(encoder(), segments)
    alone = torch.cat([summaries(encoder(), [segment]) for segment in segments])
    # Padding changes the order of additions in float32.
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("frozen", [False, True])
def test_the_encoder_that_is_given_stays_as_it_was(frozen):
    model, learn = encoder(), [Example((5, 6), 0), Example((7, 8), 1)]
    before = {name: w.clone() for name, w in model.state_dict().items()}
    tuned = fine_tune(model, learn, 2, Recipe(steps=3, batch=4), seed=1, frozen=frozen)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])
    same = all(
        torch.equal(weight, before[name])
        for name, weight in tuned.encoder.state_dict().items()
    )
    assert same == frozen
    started = Classifier(encoder(), 2, seed=1)
    assert not torch.equal(tuned.choose.weight, started.choose.weight)
    assert all(weight.requires_grad for weight in model.parameters())


def test_a_task_is_learned_and_the_same_seed_gives_the_same():
    """Which of two sets of tokens a segment is drawn from."""
    random = Random(1)
    some = [
        Example(
            tuple(random.randrange(5 + 15 * label, 25 + 15 * label) for _ in "abcdef"),
            label,
        )
        for label in (0, 1)
        for _ in range(40)
    ]
    recipe = Recipe(steps=60, batch=16, rate=3e-3)
    tuned = [fine_tune(encoder(), some[::2], 2, recipe, seed=2) for _ in range(2)]
    given = [labels_given(model, some[1::2]) for model in tuned]
    assert given[0] == given[1]
    right = sum(a == e.label for a, e in zip(given[0], some[1::2], strict=False))
    assert right >= 32  # of 40; the coin gets that with a probability of 1 in 10,000


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="longest is 1: it must be 2 or more"):
        examples([[5] * 40], 1)
    with pytest.raises(ValueError, match="document 1 has 12 tokens: too few"):
        examples([[5] * 40, [6] * 12], 10)
    with pytest.raises(ValueError, match="no segment"):
        summaries(encoder(), [])
    with pytest.raises(ValueError, match="1 have labels outside of 0 to 1"):
        fine_tune(encoder(), [Example((5,), 2)], 2, Recipe(steps=1), seed=0)
    with pytest.raises(ValueError, match="0 examples"):
        fine_tune(encoder(), [], 2, Recipe(steps=1), seed=0)
