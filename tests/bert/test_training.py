"""Teaching: batches against the inputs, the schedule, seeds, and that it learns."""

from itertools import pairwise
from math import log
from random import Random

import pytest
import torch

from tensorfleet.bert.inputs import NO_TARGET
from tensorfleet.bert.model import Bert, Config
from tensorfleet.bert.training import (
    Recipe,
    draw_batch,
    held_out_nll,
    longest_segment,
    losses,
    pretrain,
    says_next,
    trials,
)
from tensorfleet.bert.wordpiece import CLS, MASK, PAD, SEP, SPECIAL

CONFIG = Config(num_words=60, length=13, width=16, num_heads=2, num_layers=1)
# Each token is followed by the next larger one, and after the last comes the first.
DOCUMENTS = [[5 + (n + start) % 55 for n in range(110)] for start in (0, 20)]


def test_a_batch_holds_pairs_as_they_are_and_asks_for_what_was_hidden():
    batch = draw_batch(DOCUMENTS, 40, Bert(CONFIG, seed=0), Random(1))
    true = torch.where(batch.targets == NO_TARGET, batch.tokens, batch.targets)
    assert batch.tokens.shape == batch.segments.shape == (40, 13)
    rows = zip(true, batch.segments, batch.follows, strict=True)
    for tokens, segments, follows in rows:
        assert tokens[0] == CLS
        assert tokens[6] == tokens[12] == SEP
        assert segments.tolist() == [0] * 7 + [1] * 6
        first, second = tokens[1:6].tolist(), tokens[7:12].tolist()
        assert (second[0] == 5 + (first[-1] - 4) % 55) == follows
    assert 0 < batch.follows.sum() < 40
    hidden = batch.targets != NO_TARGET
    assert (batch.tokens[hidden] == MASK).float().mean() > 0.5
    assert hidden.sum(1).tolist() == [2] * 40  # 15% of ten, rounded to even


def test_the_losses_are_torchs_over_all_tokens():
    model = Bert(CONFIG, seed=0)
    batch = draw_batch(DOCUMENTS, 8, model, Random(1))
    words, follows, behind = losses(model, batch)
    found = model(batch.tokens, batch.segments)
    expected = torch.nn.functional.cross_entropy(
        model.word_scores(found).flatten(0, 1),
        batch.targets.flatten(),
        ignore_index=NO_TARGET,
    )
    torch.testing.assert_close(words, expected)
    chances = model.next_scores(found).softmax(-1)[torch.arange(8), batch.follows]
    torch.testing.assert_close(follows, -chances.log().mean())
    nats = -model.word_scores(found).log_softmax(-1)
    paid = [
        nats[n, place, batch.targets[n, place]]
        for n, place in (batch.tokens == MASK).nonzero().tolist()
    ]
    assert 0 < len(paid) < (batch.targets != NO_TARGET).sum()
    torch.testing.assert_close(behind, torch.stack(paid).mean())


def test_only_what_stands_behind_a_mask_is_counted():
    """One who believes each token that it sees and knows nothing else pays ln 55."""

    class Believer(Bert):
        def forward(self, tokens, segments):
            self.seen = tokens
            return torch.nn.functional.one_hot(tokens, CONFIG.num_words).float()

        def word_scores(self, x):
            scores = 100 * x
            scores[..., : len(SPECIAL)] = -100
            return scores

    model = Believer(CONFIG, seed=0)
    asked = trials(DOCUMENTS, CONFIG.length, 5, Random(1))
    assert held_out_nll(model, asked, Random(2)) == pytest.approx(log(55))
    with pytest.raises(ValueError, match=r"no \[MASK\] was put in"):
        held_out_nll(model, [], Random(2))


def test_the_rate_rises_for_a_tenth_of_the_steps_and_falls_to_nothing():
    recipe = Recipe(steps=100, rate=2.0)
    rates = [recipe.rate_at(step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * n for n in range(1, 11)])
    assert max(rates) == pytest.approx(2.0)
    assert all(later < earlier for earlier, later in pairwise(rates[10:]))
    assert 0 < rates[-1] < 0.05


@pytest.mark.slow
def test_a_model_learns_and_the_same_seeds_give_the_same():
    """On documents that each repeat one token: what it is, only the context tells."""
    models = [Bert(CONFIG, seed=2) for _ in range(2)]
    documents = [[token] * 60 for token in (7, 11, 30, 44)]
    recipe, told = Recipe(steps=300, batch=16, rate=3e-3), []
    first = pretrain(models[0], documents, recipe, seed=3, told=told.append)
    assert told == list(range(300))
    assert first == pretrain(models[1], documents, recipe, seed=3)
    weights = (model.parameters() for model in models)
    for one, other in zip(*weights, strict=True):
        assert torch.equal(one, other)
    asked = trials(documents, CONFIG.length, 2, Random(4))
    assert held_out_nll(models[0], asked, Random(5)) < log(4) - 0.5
    other = pretrain(Bert(CONFIG, seed=2), documents, Recipe(steps=2), seed=4)
    assert other.words != first.words[:2]


def test_trials_ask_every_cut_both_ways():
    longest = longest_segment(CONFIG.length)
    document = list(range(5, 60))
    asked = trials([document], CONFIG.length, 3, Random(1))
    assert len(asked) % 2 == 0
    for right, wrong in zip(asked[::2], asked[1::2], strict=True):
        assert right.first == wrong.first
        assert (right.is_next, wrong.is_next) == (True, False)
        assert right.second[0] == right.first[-1] + 1
        apart = (wrong.second[0] - right.first[0]) // longest
        assert abs(apart) > 1
        assert len(right.first) == len(right.second) == len(wrong.second) == longest
    passages = {trial.passage for trial in asked}
    assert {number for number, _ in passages} == {0}
    assert len(passages) == -(-len(document) // (4 * longest))


def test_answers_are_those_of_the_model_one_by_one():
    model = Bert(CONFIG, seed=0)
    asked = trials([list(range(5, 60)) * 8], CONFIG.length, 4, Random(1))
    assert len(asked) > 256  # more than one portion
    answers = says_next(model, asked)
    assert len(answers) == len(asked)
    alone = [says_next(model, [trial])[0] for trial in asked[250:262]]
    assert answers[250:262] == alone


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="steps is 0: it must be above 0"):
        Recipe(steps=0)
    with pytest.raises(ValueError, match="rate is -1: it must be above 0"):
        Recipe(steps=1, rate=-1)
    with pytest.raises(ValueError, match="document has 19 tokens"):
        draw_batch([[7] * 19], 1, Bert(CONFIG, seed=0), Random(0))
    with pytest.raises(ValueError, match="document 0 has 29 tokens: it must have 30"):
        trials([[7] * 29], CONFIG.length, 1, Random(0))


def test_no_special_token_is_ever_drawn():
    batch = draw_batch(DOCUMENTS, 60, Bert(CONFIG, seed=0), Random(2))
    inside = torch.ones(13, dtype=torch.bool)
    inside[[0, 6, 12]] = False
    tokens = batch.tokens[:, inside]
    assert ((tokens >= len(SPECIAL)) | (tokens == MASK)).all()
    assert (batch.tokens != PAD).all()
