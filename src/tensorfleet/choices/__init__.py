"""The power of two choices: of two random replicas, the one with less to do.

`reference` holds the choice and the notes' score, `bins` counts balls thrown into bins,
`queues` simulates servers whose reported loads grow old, and `signals` compares what a
router may look at when the servers batch continuously. All of it runs on the standard
library alone.
"""

from tensorfleet.choices.reference import choose, notes_score, pair

__all__ = ["choose", "notes_score", "pair"]
