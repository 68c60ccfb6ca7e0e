"""The worked example of the notes: three predictions in "I love deep learning".

The vocabulary has five words, so that a row of logits has five numbers. The
probabilities are those that the notes list; they are not the softmax of the logits.
"""

from tensorfleet.loss.reference import shifted

WORDS = ("I", "love", "deep", "learning", "and")
SENTENCE = ("I", "love", "deep", "learning")
INPUTS, TARGETS = shifted([WORDS.index(word) for word in SENTENCE])
CONTEXTS = ("I", "I love", "I love deep")  # what the model has read in each row
LOGITS = (
    (0.1, 2.5, 0.8, 0.3, 0.2),
    (0.2, 0.3, 2.1, 0.5, 0.1),
    (0.1, 0.2, 0.3, 1.9, 0.4),
)
LISTED = (
    (0.05, 0.55, 0.25, 0.10, 0.05),
    (0.08, 0.09, 0.55, 0.18, 0.10),
    (0.07, 0.08, 0.10, 0.60, 0.15),
)
