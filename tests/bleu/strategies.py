"""Random lines of text, awkward ones among them, and corpora of them."""

from hypothesis import strategies as st

# Few words, so that n-grams meet; what tokenizers treat specially; Chinese; white space
# of several kinds; a range that Unicode has long settled.
SPECIAL = """
the the the cat sat on mat is was a not to be or 3.5 1,000 5 2-3 well-known it's end.
(so) say, “no” — £5 $5 50% e.g. ... ., a.,5 .5 5. -7 &amp; &lt;b&gt; &quot; <skipped>
x²y ½ 猫 猫坐在垫子上 不是。 我在2024年,走了3.5公里! 你好…… → ☂ é ß
"""
WORDS = st.sampled_from(SPECIAL.split())
SPACES = st.sampled_from((" ", " ", " ", "  ", "\t", "\u3000", "\u00a0", "\n", "-\n"))
LINES = st.lists(st.one_of(WORDS, SPACES), max_size=14).map(" ".join)
PIECES = st.lists(st.one_of(WORDS, SPACES), max_size=10).map("".join)
TEXTS = st.one_of(LINES, PIECES)
TOKENIZERS = st.sampled_from(("13a", "intl", "zh", "char", "none"))
SMOOTHING = st.sampled_from(("exp", "floor", "add-k", "none"))


@st.composite
def corpora(draw, max_sentences=4, max_streams=3):
    """(hypotheses, references): streams of equal lengths; some references are None."""
    num_sentences = draw(st.integers(1, max_sentences))
    num_streams = draw(st.integers(1, max_streams))

    def stream(texts):
        return draw(st.lists(texts, min_size=num_sentences, max_size=num_sentences))

    hypotheses = stream(TEXTS)
    optional = st.one_of(TEXTS, TEXTS, st.none())
    streams = [stream(optional) for _ in range(num_streams)]
    for number in range(num_sentences):
        if all(texts[number] is None for texts in streams):
            streams[draw(st.integers(0, num_streams - 1))][number] = draw(TEXTS)
    return hypotheses, streams
