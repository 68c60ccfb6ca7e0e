"""The explorable of one instance: what it does for each request, in each iteration.

A row for each request, and time runs to the right up to now. A spike is a token, a box
an iteration that reads of a prompt. Every iteration gives a token to everyone that
decodes and then reads prompts, so it lasts as long as it reads: when a prompt of 16,000
tokens is read in one piece, the spikes of all others stop. With a budget of tokens for
an iteration the prompt is read in chunks, and there are spikes between them.

Rows with letters are conversations: when an answer ends, the next prompt of 200 tokens
comes after a pause. Newcomers get the rows above them. It is the library's plain
instance that runs, as Llama 3.1 8B on one H100 by the prediction of `costs`.
"""

from collections import deque
from dataclasses import replace

from tensorfleet.explore.panel import Button, Panel, Slider, Toggle
from tensorfleet.explore.scene import Figure, Scene
from tensorfleet.fleet.instance_lanes import LETTERS, PROMPTS, WHOLE, Lanes, Newcomer
from tensorfleet.fleet.instance_panel_gantt import WINDOW, gantt, in_ms, past_gaps
from tensorfleet.fleet.instance_panel_pauses import pauses
from tensorfleet.fleet.machines import HUB, MACHINE, MILLISECOND

WARM = 1200 * MILLISECOND  # until the first newcomer comes
AFTER = 160 * MILLISECOND  # from its first token to the first frame
STEP = 10 * MILLISECOND
SEED = 7
# The host keeps no adapters, so that whatever leaves the GPU comes from the hub again.
GPU = replace(MACHINE, host_bytes=0, max_running=32, token_budget=WHOLE)


class InstancePanel(Panel):
    """One instance, whose time passes slowly; buttons send newcomers to it."""

    title = "One instance, iteration by iteration"
    moves = True
    controls = (
        Toggle("chunked", "chunk the prefill"),
        Slider("budget", "token budget, if chunked", 256, 8192, 256, 512),
        Slider("streams", "conversations", 1, len(LETTERS), 1, 6),
        Slider("speed", "simulated time in a second", 20, 500, 20, 100, "ms"),
        Button("long", "drop in a 16,000-token prompt"),
        Button("short", "a 500-token prompt"),
        Button("cold", "500 tokens for a cold adapter"),
    )

    def reset(self) -> None:
        """Conversations go on for a while, then a long prompt comes and is read."""
        self.lanes = Lanes(GPU, HUB, SEED)
        self.bench = self.lanes.bench
        self.said: deque[str] = deque(maxlen=4)
        self.sent: deque[Newcomer] = deque(maxlen=6)
        self.reading: list[Newcomer] = []
        self.changed("chunked")
        self.changed("streams")
        self.said.clear()
        self._advance(WARM)
        self.pressed("long")
        while self.reading:
            self._advance(self.bench.now + STEP)
        self._advance(self.sent[0].entry.flight.first_token + AFTER)
        self.said.appendleft("Now drop in another, with chunks or without.")

    def changed(self, name: str) -> None:
        """The instance goes on under the new settings."""
        if name in ("chunked", "budget"):
            self.bench.set_token_budget(self._budget or WHOLE)
            takes = (
                f"at most {self._budget:,} tokens"
                if self._budget
                else "any number of tokens"
            )
            self._say(f"from the next iteration on, each takes {takes}")
        elif name == "streams":
            self.lanes.set_wanted(int(self.state["streams"]))

    def pressed(self, name: str) -> None:
        """A newcomer of this kind."""
        entry = self.lanes.send(name)
        if entry is None:
            self._say("all rows of newcomers are taken: wait until one has its answer")
            return
        newcomer = Newcomer(name, self._budget, entry)
        self.sent.append(newcomer)
        self.reading.append(newcomer)
        words = f"a prompt of {PROMPTS[name]:,} tokens comes"
        if name == "cold":
            words += ", whose adapter is at the hub"
        self._say(words)

    def passed(self, seconds: float) -> None:
        """`speed` milliseconds of the instance's time for each second."""
        passed = round(seconds * 1e9) * int(self.state["speed"]) // 1000
        self._advance(self.bench.now + passed)

    def frame(self) -> Scene:
        bench = self.bench
        is_busy = bench.end > bench.now
        figures: dict[str, Figure] = {
            "token budget": self._budget or "none",
            "tokens in this iteration": bench.computed if is_busy else 0,
            "this iteration (ms)": in_ms(bench.end - bench.begin) if is_busy else 0.0,
            "longest gap shown (ms)": in_ms(
                max((end - begin for begin, end in past_gaps(bench)), default=0)
            ),
            "tokens written a second": self._rate(),
        }
        read = [one for one in self.sent if one.entry.flight.first_token >= 0]
        if read:
            last = read[-1].entry
            ttft = last.flight.first_token - last.flight.arrival
            figures["last newcomer: first token after (ms)"] = in_ms(ttft)
            figures["meanwhile the others' longest gap (ms)"] = in_ms(last.stall)
        pictures = [gantt(self.lanes), pauses(bench, self.sent)]
        return Scene(pictures, figures=figures, log=self.said)

    # --- inside ------------------------------------------------------------------

    @property
    def _budget(self) -> int:
        """Tokens of an iteration, 0 for whole prompts."""
        return int(self.state["budget"]) if self.state["chunked"] else 0

    def _advance(self, until: int) -> None:
        self.bench.advance(until)
        for newcomer in list(self.reading):
            flight, stall = newcomer.entry.flight, newcomer.entry.stall
            if flight.first_token >= 0:
                self.reading.remove(newcomer)
                waited = in_ms(flight.first_token - flight.arrival)
                self._say(
                    f"the prompt of {flight.request.prompt_tokens:,} tokens got its "
                    f"first token after {waited:,} ms; meanwhile the others had gaps "
                    f"of up to {in_ms(stall):,} ms"
                )

    def _rate(self) -> int:
        """Tokens written in the time that is shown, for a second."""
        now = self.bench.now
        written = sum(
            tokens for end, tokens in self.bench.written if now - WINDOW < end <= now
        )
        return written * 1000 * MILLISECOND // WINDOW

    def _say(self, words: str) -> None:
        moment = self.bench.now // (10 * MILLISECOND)
        self.said.appendleft(f"{moment // 100}.{moment % 100:02} s: {words}")
