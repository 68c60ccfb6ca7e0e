"""The explorable of the BLEU chapter: type a candidate and see which n-grams count.

The candidate's n-grams of one order are underlined, each where it begins and ends: a
solid line counts, a dashed one is clipped away, since the candidate says it more often
than a reference does. Of several equal n-grams the first ones count. The bars are the
four precisions, their geometric mean, the brevity penalty and the product.
"""

from tensorfleet.bleu.chrf import sentence_chrf
from tensorfleet.bleu.panel_picture import (
    ABSENT,
    CLIPPED,
    COUNTED,
    Shown,
    score_picture,
    words_picture,
)
from tensorfleet.bleu.reference import Tokens, allowed, ngrams, statistics
from tensorfleet.bleu.scores import (
    MAX_ORDER,
    SMOOTH_METHODS,
    mean_precision,
    score,
)
from tensorfleet.bleu.tokenizers import find_tokenizer
from tensorfleet.explore.panel import Choice, Panel, Slider, Toggle, Words
from tensorfleet.explore.scene import Scene

LONGEST = 72  # characters of each text
TOKENIZERS = ("13a", "zh", "char")


class BleuPanel(Panel):
    """Texts are typed; which order is shown, and how it is scored, is chosen."""

    title = "Which n-grams count"
    controls = (
        Words("candidate", "candidate", "the cat sat on the mat", LONGEST),
        Words("first", "reference 1", "the cat is on the mat", LONGEST),
        Words("second", "reference 2", "there is a cat on the mat", LONGEST),
        Slider("order", "n of the n-grams shown", 1, MAX_ORDER, 1, 2),
        Choice("tokenizer", "tokenizer", TOKENIZERS, TOKENIZERS[0]),
        Choice("smoothing", "smoothing", SMOOTH_METHODS, "none"),
        Toggle("clip", "clipping", True),
    )

    def frame(self) -> Scene:
        shown = self._shown()
        found = shown.found
        said = shown.verdicts.count
        ngram = f"{shown.order}-gram"
        clipped = said(CLIPPED)
        return Scene(
            [words_picture(shown), score_picture(shown)],
            figures={
                "BLEU": rounded(found.score, 1),
                "chrF": rounded(shown.chrf, 1),
                "brevity penalty": rounded(found.bp, 3),
                "candidate tokens": found.sys_len,
                "closest reference": found.ref_len,
                f"{ngram}s that count": said(COUNTED),
                "clipped away": clipped,
            },
            log=[
                f"{said(COUNTED)} of {len(shown.verdicts)} {ngram}s count, "
                f"{clipped} clipped away, {said(ABSENT)} in no reference"
            ],
        )

    def _shown(self) -> Shown:
        texts = [str(self.state[name]) for name in ("first", "second")]
        # A field that is left empty is no reference, unless both are.
        texts = [text for text in texts if text.strip()] or [""]
        candidate = str(self.state["candidate"])
        cut = find_tokenizer(str(self.state["tokenizer"]))
        tokens, references = cut(candidate), list(map(cut, texts))
        clip, order = bool(self.state["clip"]), int(self.state["order"])
        smoothing = str(self.state["smoothing"])
        counted = statistics(tokens, references, clip=clip)
        found = score(
            counted.counts,
            counted.totals,
            counted.sys_len,
            counted.ref_len,
            smoothing,
            effective_order=True,
        )
        return Shown(
            order,
            tokens,
            references,
            verdicts(tokens, references, order, clip=clip),
            found,
            mean_precision(
                found.precisions, found.totals, smoothing, effective_order=True
            ),
            statistics(tokens, references, clip=False).counts,
            sentence_chrf(candidate, texts),
        )


def verdicts(
    tokens: Tokens, references: list[list[str]], order: int, *, clip: bool
) -> list[str]:
    """For each n-gram, from left to right, whether it counts, is clipped or absent."""
    left = allowed(references, order)
    found = []
    for ngram in ngrams(tokens, order):
        if ngram not in left:
            found.append(ABSENT)
        elif clip and left[ngram] == 0:
            found.append(CLIPPED)
        else:
            found.append(COUNTED)
            left[ngram] -= clip
    return found


def rounded(value: float, digits: int) -> float:
    """As it is read. What lies on the border between two goes up on every machine."""
    return round(value + 1e-9, digits)
