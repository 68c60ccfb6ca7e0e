"""The still figure in a page holds all that makes it live, and nothing that runs."""

import json

import pytest
from bs4 import BeautifulSoup

from tensorfleet.explore import Panel, Picture, Scene, Slider, Words
from tensorfleet.explore.html import to_html
from tensorfleet.explore.marks import Text


class Clock(Panel):
    """Shows the time that has passed and what it was told."""

    title = "A clock"
    moves = True
    controls = (Slider("speed", "speed", 1, 9, 1, 2), Words("name", "name", "me"))

    def reset(self):
        self.time = 0.0

    def passed(self, seconds):
        self.time += seconds * self.state["speed"]

    def frame(self):
        words = Text(key="t", x=1, y=1, text=str(self.state["name"]))
        picture = Picture("p", 9, 9, [words], alt=f"A clock of {self.state['name']}")
        return Scene([picture], figures={"time": round(self.time, 6)})


def element(html):
    (found,) = BeautifulSoup(html, "html.parser").select("div.explorable")
    return found


def test_it_shows_the_panel_after_its_seconds_and_tells_how_to_open_it():
    found = element(to_html(Clock, {"speed": 3}, after=4, name="it"))
    assert found["id"] == "it"
    assert found["data-explorable"].endswith(":Clock")
    assert found["data-status"] == "static"
    assert json.loads(found["data-figures"]) == {"time": 12}
    told = json.loads(found["data-description"])
    assert (told["title"], told["moves"], told["after"]) == ("A clock", True, 4)
    assert told["state"] == {"speed": 3, "name": "me"}
    assert told["controls"][0] == {
        "kind": "slider", "name": "speed", "label": "speed", "lowest": 1, "highest": 9,
        "step": 1, "default": 2, "unit": "",
    }  # fmt: skip
    assert found.svg["aria-label"] == "A clock of me"


def test_a_readers_words_are_never_markup():
    evil = "</div><script>alert('1')</script>\"&"
    html = to_html(Clock, {"name": evil})
    found = element(html)
    assert "<script" not in html
    assert found.find("text").text == evil
    assert json.loads(found["data-description"])["state"]["name"] == evil


def test_settings_are_checked():
    with pytest.raises(ValueError, match="speed is 10: it must be from 1 to 9"):
        to_html(Clock, {"speed": 10})
