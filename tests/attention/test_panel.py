"""The explorable shows what the costs say, whatever is set."""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.attention.activations import activation_bytes
from tensorfleet.attention.costs import decode, kv_cache_bytes, prefill, training
from tensorfleet.attention.models import DEEPSEEK_V3, GPT2, LLAMA_8B, MODELS
from tensorfleet.attention.panel import NAMES, AttentionPanel
from tensorfleet.attention.panel_amounts import amount, duration
from tensorfleet.attention.panel_memory import GPUS
from tensorfleet.attention.panel_terms import CACHE, SCORES, STAGES, resized
from tensorfleet.attention.sums import whole_sequence
from tensorfleet.explore.marks import Circle, Text
from tests.driving import marks_of

SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(NAMES),
        "stage": st.sampled_from(STAGES),
        "log_tokens": st.integers(6, 20),
        "sequences": st.integers(1, 256),
        "hidden": st.integers(1, 64).map(lambda n: 256 * n),
        "heads": st.integers(1, 128),
        "kv_heads": st.integers(1, 128),
        "layers": st.integers(1, 128),
        "causal": st.booleans(),
        "tiled": st.booleans(),
    },
)


@given(SETTINGS)
@settings(max_examples=30)
def test_the_terms_add_up_to_what_costs_counts(state):
    step = AttentionPanel(**state).step()
    total = sum(step.terms(step.tokens).values())
    if step.stage == "decode":
        contexts = [step.tokens] * step.sequences
        assert total == step.cost.bytes == decode(step.shape, contexts).bytes
        return
    assert total == step.cost.operations
    if step.stage == "training":
        cost = training(step.shape, step.tokens, step.sequences)
        assert (total == cost.operations) == (step.causal or step.tokens == 1)
        state = step.shape.parameters * 16
        kept = sum(step.memory().values()) - state
        assert step.cost.bytes == cost.bytes + 2 * kept  # written, and read
    elif step.causal:
        one = prefill(step.shape, step.tokens)
        assert step.cost.operations == step.sequences * one.operations
        experts = step.shape.weights_read(step.tokens * step.sequences)
        experts -= step.shape.weights_read(step.tokens)
        caches = (step.sequences - 1) * kv_cache_bytes(step.shape, step.tokens)
        assert step.cost.bytes - one.bytes == caches + 2 * experts


@given(SETTINGS)
@settings(max_examples=30)
def test_attention_overtakes_where_it_says(state):
    """One token before the crossover it is smaller, one after it larger."""
    step = AttentionPanel(**state).step()
    for name, at in step.crossovers().items():
        for tokens in {int(at), ceil(at)} - {0}:
            terms = step.terms(tokens)
            names = list(terms)[: list(terms).index(name) + 1]
            attention = terms[list(terms)[-1]]
            matrices = sum(terms[below] for below in names)
            assert (attention > matrices) == (tokens > at)
            assert (attention < matrices) == (tokens < at)


def test_a_square_model_has_the_crossovers_of_the_sums():
    """1.5·D, 2·D and 6·D; with a mask that is skipped nearly twice as much."""
    step = AttentionPanel(model="GPT-2").step()
    assert list(step.crossovers().values()) == [1.5 * 768, 2 * 768, 6 * 768]
    causal = AttentionPanel(model="GPT-2", causal=True).step()
    assert list(causal.crossovers().values()) == [
        3 * 768 - 1,
        4 * 768 - 1,
        12 * 768 - 1,
    ]
    terms = whole_sequence(5000, 768)
    shown = step.terms(5000)
    assert shown[SCORES] == 12 * terms.quadratic
    assert shown["Q, K, V"] == 12 * terms.linear


@given(SETTINGS)
@settings(max_examples=30)
def test_memory_is_what_the_parts_are(state):
    step = AttentionPanel(**state).step()
    shape, parts = step.shape, step.memory()
    assert parts["weights"] == shape.parameters * 2
    if step.stage != "training":
        assert parts[CACHE] == kv_cache_bytes(shape, step.tokens) * step.sequences
        scores = step.sequences * shape.heads * step.tokens**2 * 2
        kept = step.stage == "prefill" and not step.tiled
        assert parts.get("scores of a layer") == (scores if kept else None)
        return
    assert parts["weights"] + parts["gradients, optimizer"] == 16 * shape.parameters
    kept = sum(size for name, size in parts.items() if name not in list(parts)[:2])
    words = 2 * shape.vocabulary * step.tokens * step.sequences
    assert parts["scores of the vocabulary"] == words
    if shape.latent:
        assert kept == words
    else:
        assert kept - words == activation_bytes(
            shape, step.tokens, step.sequences, keep_scores=not step.tiled
        )


def text(panel, key):
    return marks_of(panel, Text)[key].text


def test_what_a_setting_cannot_change_is_said():
    panel = AttentionPanel(log_tokens=10)
    assert "beyond" not in marks_of(panel, Text)
    panel.act("log_tokens", 11)
    assert text(panel, "beyond") == "more than its 1,024 positions"
    assert "without" not in marks_of(panel, Text)
    panel.act("model", "Llama 3.1 8B")
    assert "beyond" not in marks_of(panel, Text)
    panel.act("stage", "decode")
    before = [picture.to_json() for picture in panel.frame().pictures]
    assert text(panel, "without") == "decoding hides no pairs and keeps no scores"
    for toggle in ("causal", "tiled"):
        panel.act(toggle, True)
        after = [picture.to_json() for picture in panel.frame().pictures]
        assert after == before


@given(SETTINGS)
@settings(max_examples=30)
def test_what_is_drawn_is_what_is_counted(state):
    panel = AttentionPanel(**state)
    step, scene = panel.step(), panel.frame()
    shares, memory = (
        {mark.key: mark for mark in picture.marks} for picture in scene.pictures
    )
    held = sum(step.memory().values())
    for gpu in GPUS:
        filled = sum(memory[f"{gpu.name} {part}"].width for part in step.memory())
        left, *_, right = sorted(memory[f"edge {gpu.name}"].points[::2])
        share = min(held / gpu.memory_bytes, 1)
        assert filled == pytest.approx((right - left) * share, abs=1e-6)  # of 340
        fits = memory[f"verdict {gpu.name}"].text.startswith("fits")
        assert fits == (held <= gpu.memory_bytes)
    assert scene.figures["H200 needed"] == -(-held // GPUS[-1].memory_bytes)
    # Each band reaches as high as its share, and those below it, of the whole.
    terms = step.terms(step.tokens)
    here, bottom = shares["shares here"].points[:2]
    top, below = shares["shares here"].points[3], 0
    for name, term in terms.items():
        below += term
        places = shares[f"band {name}"].steps[4:-4]
        heights = dict(zip(places[::3], places[1::3], strict=True))
        share = below / sum(terms.values())
        assert heights[here] == pytest.approx(bottom + share * (top - bottom), abs=1e-6)


@pytest.mark.parametrize("shape", MODELS, ids=lambda shape: shape.name)
def test_a_model_brings_its_sizes_and_other_sizes_make_it_another(shape):
    panel = AttentionPanel(model=shape.name)
    assert panel.step().shape == shape
    other = AttentionPanel()
    other.act("model", shape.name)
    assert other.state == panel.state
    panel.act("layers", shape.layers + 1)
    assert panel.step().shape.name == f"{shape.name}, resized"
    assert panel.step().shape.layers == shape.layers + 1
    panel.act("layers", shape.layers)
    assert panel.step().shape == shape


def test_a_link_with_all_settings_opens_what_was_shown():
    panel = AttentionPanel(model="DeepSeek-V3")
    panel.act("hidden", 1024)
    panel.act("stage", "decode")
    again = AttentionPanel(**panel.state)
    assert again.frame().to_json() == panel.frame().to_json()


def test_sizes_that_do_not_fit_are_made_to():
    sizes = {"layers": 4, "hidden": 1024, "heads": 12, "kv_heads": 7}
    shape = resized(LLAMA_8B, **sizes)
    assert shape.kv_heads == 6  # the most up to 7 that share 12 heads evenly
    assert shape.head_dim == 1024 // 12
    assert shape.feed_forward == LLAMA_8B.feed_forward // 4
    latent = resized(DEEPSEEK_V3, **sizes)
    assert latent.kv_heads == 12
    whole = replace(DEEPSEEK_V3, name=latent.name)
    same = {name: getattr(DEEPSEEK_V3, name) for name in sizes}
    assert resized(whole, **(same | {"layers": 122})).idle_weights == (
        2 * DEEPSEEK_V3.idle_weights
    )
    assert resized(GPT2, **(sizes | {"heads": 128, "hidden": 256})).head_dim == 2


def test_amounts_have_three_digits():
    assert amount(0, "B") == "0 B"
    assert amount(999, "B") == "999 B"
    assert amount(1000, "B") == "1.00 kB"
    assert amount(9_994, "B") == "9.99 kB"
    assert amount(9_999, "B") == "10.0 kB"
    assert amount(99_949, "FLOP") == "99.9 kFLOP"
    assert amount(999_600, "B") == "1.00 MB"
    assert amount(10**25, "B") == "10,000 ZB"
    assert duration(0.0000005) == "0.50 µs"
    assert duration(0.0123) == "12.3 ms"
    assert duration(1.5) == "1.50 s"
    assert duration(7200) == "2.00 hours"
    assert duration(86_400 * 159) == "159 days"


@given(SETTINGS)
@settings(max_examples=30)
def test_no_words_run_into_others_or_out_of_the_picture(state):
    """A letter is at most 0.56 of its size wide, on average, in the fonts of pages."""
    for picture in AttentionPanel(**state).frame().pictures:
        boxes = []
        for mark in picture.marks:
            if isinstance(mark, Text):
                wide = 0.56 * mark.size * len(mark.text)
                shift = {"start": 0, "middle": wide / 2, "end": wide}[mark.anchor]
                boxes.append((mark.x - shift, mark.y - mark.size, wide, mark))
        for x, _, wide, mark in boxes:
            assert x >= 0, mark
            assert x + wide <= picture.width, mark
            assert mark.y < picture.height
        for i, (x, y, wide, mark) in enumerate(boxes):
            for a, b, other_wide, other in boxes[:i]:
                apart_x = x + wide <= a or a + other_wide <= x
                apart_y = abs(y - b) >= 10
                assert apart_x or apart_y, (mark.text, other.text)


# --- what the page says to try ----------------------------------------------------


def figures_after(panel, *acts):
    for name, value in acts:
        panel.act(name, value)
    return panel.frame().figures


def test_try_1_scores_overtake_term_by_term_and_a_mask_halves_them():
    panel = AttentionPanel()
    assert figures_after(panel)["tokens"] == 1024
    shares = [
        figures_after(panel, ("log_tokens", power))["scores and values, %"]
        for power in (10, 11, 12, 13)
    ]
    assert shares == [18.2, 30.8, 47.1, 64.0]
    assert "scores and values" not in AttentionPanel(log_tokens=11).frame().log[0]
    assert "scores and values" in AttentionPanel(log_tokens=12).frame().log[0]
    dots = [key for key in marks_of(panel, Circle) if key.startswith("equal")]
    assert len(dots) == 3
    assert figures_after(panel)["overtakes at"] == 6 * 768 == 4608
    assert figures_after(panel, ("causal", True))["overtakes at"] == 9215


def test_try_2_batching_helps_until_the_cache_is_what_is_read():
    panel = AttentionPanel()
    figures = figures_after(
        panel, ("model", "Llama 3.1 8B"), ("stage", "decode"), ("log_tokens", 12)
    )
    assert figures["KV cache, %"] == 3.5
    assert figures["operations a byte"] == 1.1
    figures = figures_after(panel, ("sequences", 28))
    assert figures["KV cache, %"] == 50
    assert figures["operations a byte"] == 16
    figures = figures_after(panel, ("sequences", 256))
    assert figures["KV cache, %"] == 90.2
    assert figures["operations a byte"] == 28.8
    # A single sequence of DeepSeek-V3 reads 8 experts, 256 of them all 256.
    panel = AttentionPanel(model="DeepSeek-V3", stage="decode", log_tokens=12)
    assert figures_after(panel)["bytes moved"] == "73.3 GB"
    figures = figures_after(panel, ("sequences", 256))
    assert figures["bytes moved"] == "1.41 TB"
    assert figures["KV cache, %"] == 5.2
    assert figures["operations a byte"] == 25.8
    figures = figures_after(panel, ("log_tokens", 20))
    assert figures["KV cache, %"] == 93.4
    assert figures["operations a byte"] == 226.7


def test_try_3_scores_fill_the_memory_that_training_needs():
    panel = AttentionPanel()
    figures = figures_after(
        panel, ("stage", "training"), ("log_tokens", 13), ("sequences", 8)
    )
    assert text(panel, "beyond") == "more than its 1,024 positions"
    assert figures["to be held"] == "183 GB"
    assert figures["H200 needed"] == 2
    assert text(panel, "size scores of all layers") == "155 GB"
    figures = figures_after(panel, ("tiled", True))
    assert figures["to be held"] == "27.9 GB"
    assert text(panel, "size scores of the vocabulary") == "6.59 GB"
    assert figures["H200 needed"] == 1
    # As much as for eight times as many sequences of an eighth of the length.
    figures = figures_after(panel, ("log_tokens", 10), ("sequences", 64))
    assert figures["to be held"] == "27.9 GB"
