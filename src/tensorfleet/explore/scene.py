"""A scene: what an explorable shows at one moment, as data.

    panel.frame() → Scene → a painter in the page, in Jupyter, or `to_svg` for print

A scene has one or more pictures, which stand beside each other or, where it is narrow,
below each other; and what they mean in words: figures to read, and a log.
"""

import json
from collections.abc import Iterable, Mapping
from math import isfinite

from tensorfleet.explore.marks import check_words
from tensorfleet.explore.picture import Picture

Figure = int | float | str
GAP = 20  # between two pictures in one SVG


class Scene:
    """Pictures with figures for what they show.

    `figures` are read by people, tests and screen readers; `log` is shown as lines of
    text below. `said` is what a screen reader is told after the reader did something:
    the first line of the log, unless another is given. A scene is `busy` while its
    panel has work to do for which no time needs to pass. Raises ValueError without
    pictures, for two of one key, or for a figure that is not finite; TypeError for a
    figure that is neither number nor text.
    """

    def __init__(
        self,
        pictures: Iterable[Picture],
        *,
        figures: Mapping[str, Figure] | None = None,
        log: Iterable[str] = (),
        said: str | None = None,
        busy: bool = False,
    ) -> None:
        self.pictures = tuple(pictures)
        self.figures = dict(figures or {})
        self.log = tuple(log)
        self.said = (self.log[0] if self.log else "") if said is None else said
        self.busy = busy
        keys = [picture.key for picture in self.pictures]
        if not keys:
            raise ValueError("a scene has no picture: it must have one or more")
        if len(set(keys)) < len(keys):
            raise ValueError(f"the keys of the pictures are {keys}: they must differ")
        for words in (*self.log, self.said):
            check_words("an entry of the log", words)
        for name, value in self.figures.items():
            if isinstance(value, bool) or not isinstance(value, (int, float, str)):
                raise TypeError(
                    f"the figure {name!r} is {value!r}: it must be a number or a text"
                )
            if isinstance(value, float) and not isfinite(value):
                raise ValueError(f"the figure {name!r} is {value}: it must be finite")

    @property
    def alt(self) -> str:
        """All pictures in words."""
        return " ".join(picture.alt for picture in self.pictures)

    def to_dict(self) -> dict[str, object]:
        """What a painter in the browser gets; every value is one that JSON knows."""
        return {
            "pictures": [picture.to_dict() for picture in self.pictures],
            **self._words(),
        }

    def to_json(self) -> str:
        """The same as JSON."""
        pictures = ",".join(picture.to_json() for picture in self.pictures)
        words = json.dumps(self._words())
        return f'{{"pictures":[{pictures}],{words[1:]}'

    def _words(self) -> dict[str, object]:
        return {
            "figures": self.figures,
            "log": list(self.log),
            "said": self.said,
            "busy": self.busy,
        }

    def to_svg(self) -> str:
        """All pictures in a row, as one SVG."""
        if len(self.pictures) == 1:
            return self.pictures[0].to_svg()
        height = max(picture.height for picture in self.pictures)
        inner, x = [], 0.0
        for picture in self.pictures:
            inner.append(picture.to_svg(x))
            x += picture.width + GAP
        return (
            '<svg class="explorable-scene" xmlns="http://www.w3.org/2000/svg" '
            f'viewBox="0 0 {x - GAP:g} {height:g}">{"".join(inner)}</svg>'
        )
