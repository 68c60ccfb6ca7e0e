"""What a corpus or a sentence must be, checked before anything is counted.

As in sacrebleu, `references` is a list of *streams*: the i-th entry of each stream is a
reference for the i-th hypothesis, or None where that stream has none for it. sacrebleu
cuts streams of unequal lengths to the shortest, in silence; here they are an error,
since the score would be that of another corpus.
"""

from collections.abc import Sequence

Stream = Sequence[str | None]
TEXT = (str, bytes)  # sequences, but not of texts


def sentences(
    hypotheses: Sequence[str], references: Sequence[Stream]
) -> list[tuple[str, list[str]]]:
    """Each hypothesis with its references.

    Raises TypeError where a text stands for a sequence of texts, or something else for
    a text; ValueError for a corpus without hypotheses, without streams, with a stream
    of another length, or with a hypothesis that has no reference at all.
    """
    check_corpus(hypotheses, references)
    return [
        (hypothesis, [text for text in texts if text is not None])
        for hypothesis, *texts in zip(hypotheses, *references, strict=True)
    ]


def check_corpus(hypotheses: Sequence[str], references: Sequence[Stream]) -> None:
    """Raise what `sentences` does."""
    _check_texts("hypotheses", hypotheses)
    if None in hypotheses:
        raise TypeError("hypotheses hold None: each must be a text, which may be empty")
    if not hypotheses:
        raise ValueError("there are no hypotheses: a score needs one or more")
    if isinstance(references, TEXT) or not isinstance(references, Sequence):
        raise TypeError(
            f"references are {references!r:.60}: they must be a list of streams of "
            "texts"
        )
    if not references:
        raise ValueError("there are no references: a score needs one stream or more")
    for number, stream in enumerate(references):
        _check_texts(f"stream {number} of the references", stream)
        if len(stream) != len(hypotheses):
            raise ValueError(
                f"stream {number} of the references has {len(stream)} entries: it must "
                f"have {len(hypotheses)}, one for each hypothesis"
            )
    for number, texts in enumerate(zip(*references, strict=True)):
        if all(text is None for text in texts):
            raise ValueError(
                f"hypothesis {number} has no reference: every stream holds None for it"
            )


def check_sentence(hypothesis: str, references: Stream) -> list[str]:
    """The references of one sentence, less those that are None.

    Raises TypeError where the hypothesis is no text or the references are no sequence
    of texts; ValueError without a single reference.
    """
    if not isinstance(hypothesis, str):
        raise TypeError(f"hypothesis is {hypothesis!r:.60}: it must be a text")
    _check_texts("references", references)
    found = [text for text in references if text is not None]
    if not found:
        raise ValueError("there are no references: a score needs one text or more")
    return found


def _check_texts(name: str, texts: Stream) -> None:
    if isinstance(texts, TEXT) or not isinstance(texts, Sequence):
        raise TypeError(f"{name} are {texts!r:.60}: they must be a list of texts")
    for text in texts:
        if not (text is None or isinstance(text, str)):
            raise TypeError(f"{name} hold {text!r:.60}: each must be a text")
