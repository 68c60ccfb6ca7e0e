"""BERT: an encoder that reads both ways, taught with masked words and next sentences.

`wordpiece` learns a vocabulary and cuts words into its pieces, `inputs` makes the
sequences that the encoder reads and the questions it is asked, `text` holds documents
that every machine has. This package exports what the standard library can run.
"""

from tensorfleet.bert.inputs import draw_pair, joined, masked
from tensorfleet.bert.wordpiece import WordPiece, train, words

__all__ = ["WordPiece", "draw_pair", "joined", "masked", "train", "words"]
