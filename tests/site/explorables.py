"""An explorable as a test drives it in a page, beside the same panel in CPython."""

import json
from contextlib import suppress

from bs4 import BeautifulSoup

from serve import SITE
from tensorfleet.explore.html import describe
from tensorfleet.explore.panel import Button, Choice, Slider, Toggle
from tensorfleet.explore.session import find_panel, pass_time

# Sets an input as a reader does: the value, and then the event.
SET = """(input, value) => {
    if (input.type === 'checkbox') input.checked = value;
    else input.value = value;
    input.dispatchEvent(new Event('input', { bubbles: true }));
}"""


def all_explorables():
    """(page, id) of every explorable in the built book, those of the labs included."""
    return [
        (page.relative_to(SITE).as_posix(), element["id"])
        for page in sorted(SITE.rglob("*.html"))
        if not page.relative_to(SITE).parts[0].startswith("_")
        for element in BeautifulSoup(page.read_text(), "html.parser").select(
            "[data-explorable]"
        )
    ]


class Driven:
    """An explorable on an opened page, found by a selector, and its twin.

    A page tells how it opens the panel; Jupyter, which does not, as it is by default.
    """

    def __init__(self, opened, selector):
        self.opened, self.page = opened, opened.page
        self.element = opened.page.locator(selector)
        self.kind = find_panel(self.element.get_attribute("data-explorable"))
        told = self.element.get_attribute("data-description")
        self.description = json.loads(told) if told else describe(self.kind())
        self.after = self.description.get("after", 0)
        self.twin = self.new_twin()

    def new_twin(self, **state):
        """The same panel in this process."""
        panel = self.kind(**(self.description["state"] | state))
        pass_time(panel, self.after)
        return panel

    def start(self):
        """Bring it into view and wait until it is live; what moves is then stopped."""
        self.element.scroll_into_view_if_needed()
        self.element.and_(self.page.locator("[data-status=live]")).wait_for(
            timeout=25_000
        )
        if self.description["moves"]:
            self.run(False)
        return self

    def run(self, on):
        button = self.do("pause")
        if (button.inner_text() == "Run") == on:
            button.click()

    def do(self, name):
        """A button of the frame around the panel: pause, step, reset, link."""
        return self.element.locator(f"[data-do={name}]")

    def control(self, name):
        return self.element.locator(f"[data-control={name}]")

    def set(self, name, value):
        """Set a setting, here and there."""
        self.control(name).evaluate(SET, value)
        self.twin.act(name, value)

    def press(self, name):
        self.element.locator(f"[data-action={name}]").click()
        self.twin.act(name)

    def reset(self):
        self.do("reset").click()
        self.twin.reset()

    def step(self):
        self.do("step").click()
        self.twin.advance(0.1)

    def figures(self):
        return json.loads(self.element.get_attribute("data-figures"))

    def expect_same(self):
        """What is shown becomes what CPython computes."""
        while (scene := self.twin.frame()).busy:
            self.twin.work()
        expected = json.loads(json.dumps(scene.figures))
        for _ in range(1250):  # it may have been asked for much
            if self.figures() == expected:
                return
            self.page.wait_for_timeout(20)
        assert self.figures() == expected

    def message(self):
        return self.element.locator(".explorable-message").inner_text()


def another(control, value):
    """A value of the setting that differs from `value`."""
    match control:
        case Toggle():
            return not value
        case Choice():
            return next(option for option in control.options if option != value)
        case Slider():
            for step in (control.lowest + control.step, control.lowest):
                if step != value:
                    return control.checked(step)
    return "another text"


def try_everything(driven):
    """Every control once, each compared; time passes in between where it does."""
    driven.reset()
    driven.expect_same()
    for control in driven.kind.controls:
        if isinstance(control, Button):
            driven.press(control.name)
        else:
            value = another(control, driven.twin.state[control.name])
            driven.set(control.name, value)
        if driven.description["moves"]:
            driven.step()
        driven.expect_same()
    with suppress(StopIteration):
        mark = next(
            mark
            for picture in driven.twin.frame().pictures
            for mark in picture.marks
            if mark.pick
        )
        driven.element.locator(f'[data-pick="{mark.pick}"]').first.dispatch_event(
            "click"
        )
        driven.twin.pick(mark.pick)
        driven.expect_same()
