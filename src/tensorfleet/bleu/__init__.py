"""BLEU: how many of a translation's n-grams stand in a translation by a human.

`tokenizers` cuts a line into tokens, `reference` counts and clips, `scores` turns the
counts into a score, `chrf` is the same idea on characters, for contrast, and `ops`
counts whole corpora as tensors. This package exports what the standard library can run.
"""

from tensorfleet.bleu.chrf import corpus_chrf, sentence_chrf
from tensorfleet.bleu.reference import corpus_bleu, sentence_bleu
from tensorfleet.bleu.scores import Bleu

__all__ = ["Bleu", "corpus_bleu", "corpus_chrf", "sentence_bleu", "sentence_chrf"]
