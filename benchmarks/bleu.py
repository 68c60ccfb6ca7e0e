"""We score a large corpus by BLEU five times as fast as sacrebleu, on one core.

    python benchmarks/bleu.py [--json] [--record] [--quick]

Ours is tensorfleet.bleu.ops.corpus_bleu, the peer sacrebleu.corpus_bleu; both cut the
text into tokens and return the same score, which is asserted. sacrebleu keeps the last
65,536 lines that it has cut, so that every run of either gets sentences that nobody has
seen; they are generated untimed. In the Chinese corpus each word is one character, as
far as there are enough, and sentences have no spaces. Counts are compared with the same
counts by Python's Counter. The floors: text must at least be split at white space, and
its tokens sorted once. With a GPU, ours counts there, and the peer stays on the CPU.
Goal: 5 times sacrebleu for one reference and 13a.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import numpy as np
import sacrebleu
import torch
from tqdm import tqdm

from records import processor_environment, processor_folder, results_folder
from report import Quantities, main
from tensorfleet.bleu import ops, sentences
from tensorfleet.bleu.reference import statistics
from tensorfleet.bleu.tokenizers import find_tokenizer
from turns import Contest, Outcome, Run, contest_table, run_contest

SENTENCES = 10_000
OURS, PEER, FLOOR = "ours", "sacrebleu", "floor"
COUNTER = "Counter"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SEEDS = count()
IDEOGRAPHS = 20_000  # from U+4E00 on
Corpus = tuple[list[str], list[list[str]]]


def corpus(size: int, num_references: int = 1, *, chinese: bool = False) -> Corpus:
    """Hypotheses and streams of references that no run has seen."""
    seed = next(SEEDS)
    pairs = [
        sentences.generated(size, seed=seed, error=error)
        for error in (0.15, 0.3)[:num_references]
    ]
    hypotheses = pairs[0][0]
    # The first stream is the text itself, another one a second translation of it.
    streams = [pairs[0][1], *(pair[0] for pair in pairs[1:])]
    if chinese:
        hypotheses, *streams = (in_chinese(stream) for stream in (hypotheses, *streams))
    return hypotheses, streams


def in_chinese(stream: list[str]) -> list[str]:
    number_of: dict[str, int] = {}

    def character(word: str) -> str:
        number = number_of.setdefault(word.lower().strip(".,"), len(number_of))
        return chr(0x4E00 + number % IDEOGRAPHS)

    return ["".join(map(character, line.split())) + "。" for line in stream]


def score_ours(prepare: Callable[[], Corpus], tokenize: str) -> Run:
    hypotheses, streams = prepare()
    return lambda: ops.corpus_bleu(hypotheses, streams, "exp", tokenize, device=DEVICE)


def score_peer(prepare: Callable[[], Corpus], tokenize: str) -> Run:
    hypotheses, streams = prepare()
    return lambda: sacrebleu.corpus_bleu(
        hypotheses, streams, tokenize=tokenize, force=True
    )


def split_only(prepare: Callable[[], Corpus]) -> Run:
    hypotheses, streams = prepare()
    lines = [line for stream in (hypotheses, *streams) for line in stream]
    return lambda: [line.split() for line in lines]


def counting(size: int) -> dict[str, Callable[[], Run]]:
    """The counts alone, of text that is cut already; and one sort of its tokens."""
    hypotheses, streams = corpus(size)
    cut = find_tokenizer("13a")
    words, lengths = (
        tensor.to(DEVICE) for tensor in ops.encode((hypotheses, *streams), cut)
    )
    tokens = [list(map(cut, stream)) for stream in (hypotheses, *streams)]

    def sort_once() -> None:
        if DEVICE == "cuda":
            torch.sort(words).values[-1].item()  # which waits for it
        else:
            np.sort(words.numpy())

    def by_counter() -> None:
        for hypothesis, reference in zip(*tokens, strict=True):
            statistics(hypothesis, [reference])

    return {
        OURS: lambda: lambda: ops.matches(words, lengths).sum().item(),
        FLOOR: lambda: sort_once,
        COUNTER: lambda: by_counter,
    }


def contests(quick: bool) -> Iterator[Contest]:
    size = 200 if quick else SENTENCES
    for name, make, tokenize in (
        ("one reference", partial(corpus, size), "13a"),
        ("two references", partial(corpus, size, 2), "13a"),
        ("Chinese", partial(corpus, size, chinese=True), "zh"),
        ("small corpus", partial(corpus, size // 20), "13a"),
    ):
        check_equal(make, tokenize)
        yield Contest(
            name,
            size // 20 if name == "small corpus" else size,
            {
                OURS: partial(score_ours, make, tokenize),
                PEER: partial(score_peer, make, tokenize),
            },
        )
    yield Contest(
        "encoding",
        size,
        {
            OURS: partial(encode_ours, partial(corpus, size)),
            FLOOR: partial(split_only, partial(corpus, size)),
        },
    )
    yield Contest("counting", size, counting(size))


def encode_ours(prepare: Callable[[], Corpus]) -> Run:
    hypotheses, streams = prepare()
    cut = find_tokenizer("13a")
    return lambda: ops.encode((hypotheses, *streams), cut)


def check_equal(prepare: Callable[[], Corpus], tokenize: str) -> None:
    hypotheses, streams = prepare()
    ours = ops.corpus_bleu(hypotheses, streams, "exp", tokenize, device=DEVICE)
    theirs = sacrebleu.corpus_bleu(hypotheses, streams, tokenize=tokenize, force=True)
    assert abs(ours.score - theirs.score) < 1e-9
    assert list(ours.counts) == theirs.counts


def measure(quick: bool, repeats: int) -> tuple[list[Outcome], Quantities]:
    torch.set_num_threads(1)
    outcomes = [
        run_contest(contest, repeats)
        for contest in tqdm(contests(quick), unit="case", disable=None)
    ]
    return outcomes, summary({outcome.name: outcome for outcome in outcomes}, quick)


def summary(outcomes: dict[str, Outcome], quick: bool) -> Quantities:
    def digits(value: float) -> float:
        return float(f"{value:.2g}")

    found: Quantities = {"num_sentences": (200 if quick else SENTENCES, "sentences")}
    for name, outcome in outcomes.items():
        short = name.lower().replace(" ", "_")
        ours = outcome.microseconds[OURS]
        found[f"{short}_time"] = digits(ours), "µs"
        if PEER in outcome.microseconds:
            peer = outcome.microseconds[PEER]
            found[f"{short}_speedup"] = digits(peer / ours), "times"
            found[f"{short}_rate"] = digits(1e6 / ours), "sentences/s"
            found[f"{short}_peer_rate"] = digits(1e6 / peer), "sentences/s"
        else:
            found[f"{short}_floor"] = digits(outcome.microseconds[FLOOR]), "µs"
    counting = outcomes["counting"].microseconds
    found["counter_speedup"] = digits(counting[COUNTER] / counting[OURS]), "times"
    return found


if __name__ == "__main__":
    assert __doc__
    main(
        "bleu",
        " ".join(__doc__.partition("\n\n")[0].split()),
        measure,
        contest_table,
        partial(processor_environment, "sacrebleu", "torch"),
        results_folder if DEVICE == "cuda" else processor_folder,
    )
