"""The widget: its traits are the panel's settings, whoever changes either."""

import shutil
import subprocess

import ipywidgets
import pytest
import traitlets
from bs4 import BeautifulSoup

from npm_install import path_with_node
from tensorfleet.explore import Panel, Slider
from tensorfleet.explore.widget import Explorable, joined_modules
from tensorfleet.fleet.ladder_panel import LadderPanel
from tensorfleet.fleet.panel import FleetPanel
from tensorfleet.hashing.panel import HashingPanel


@pytest.fixture
def ring():
    """A widget, and in `sent` what it says to its views."""
    widget = Explorable(HashingPanel(num_keys=30))
    widget.sent = []
    widget.send = lambda message, buffers=None: widget.sent.append(message)
    return widget


def test_a_trait_sets_the_panel_and_paints_it(ring):
    assert ring.num_keys == 30
    ring.num_keys = 50
    assert ring.panel.state["num_keys"] == 50
    assert ring.sent[-1]["scene"]["figures"]["keys"] == 50


def test_what_the_declaration_excludes_is_refused_and_changes_nothing(ring):
    with pytest.raises(traitlets.TraitError, match="num_keys is 999: it must be from"):
        ring.num_keys = 999
    with pytest.raises(traitlets.TraitError, match="bounded is 1: it must be true"):
        ring.bounded = 1
    assert ring.panel.state["num_keys"] == ring.num_keys == 30
    assert ring.sent == []


def test_a_slider_is_linked_both_ways(ring):
    slider = ipywidgets.IntSlider(value=40, min=10, max=200)
    ipywidgets.link((slider, "value"), (ring, "num_keys"))
    assert ring.panel.state["num_keys"] == 40
    slider.value = 120
    assert ring.panel.state["num_keys"] == 120
    message = {"do": "act", "name": "num_keys", "value": 70, "n": 1}
    ring._handle_custom_msg(message, [])  # what a view sends
    assert slider.value == 70


def test_a_view_gets_an_answer_to_each_message(ring):
    ring._handle_custom_msg({"do": "act", "name": "add", "n": 4}, [])
    assert ring.sent[-1]["n"] == 4
    assert ring.sent[-1]["scene"]["figures"]["nodes"] == 5
    ring._handle_custom_msg({"do": "pick", "value": "z", "n": 5}, [])
    assert "there is no node 'z'" in ring.sent[-1]["error"]


def test_buttons_are_pressed_from_python(ring):
    ring.act("add")
    assert ring.panel.frame().figures["nodes"] == 5
    ring.act("num_keys", 80)
    assert ring.num_keys == ring.panel.state["num_keys"] == 80
    with pytest.raises(KeyError, match="no control 'sing'"):
        ring.act("sing")


def test_traits_follow_what_a_button_or_another_setting_changes():
    ladder = Explorable(LadderPanel())
    ladder.act("break")
    assert ladder.situation == ladder.panel.state["situation"] == "a rush"
    ladder.situation = "an ordinary day"
    assert ladder.panel.situation == "an ordinary day"
    fleet = Explorable(FleetPanel(max_replicas=2))
    fleet.replicas = 3
    assert fleet.max_replicas == fleet.panel.state["max_replicas"] == 3


def test_it_prints_alike_every_time_and_shows_the_still_figure(ring):
    expected = (
        "Explorable(HashingPanel(num_keys=30, virtual_nodes=8, bounded=False, "
        "percent=25))"
    )
    assert repr(ring) == expected
    data, _ = ring._repr_mimebundle_()
    assert data["text/plain"] == expected
    assert "application/vnd.jupyter.widget-view+json" in data
    still = BeautifulSoup(data["text/html"], "html.parser")
    assert still.select_one("[data-explorable] svg")
    again, _ = Explorable(HashingPanel(num_keys=30))._repr_mimebundle_()
    assert again["text/html"] == data["text/html"]


def test_only_panels_are_shown():
    with pytest.raises(TypeError, match="the panel is 3: it must be a Panel"):
        Explorable(3)


def test_a_setting_must_not_hide_what_every_widget_has():
    class Bad(Panel):
        controls = (Slider("keys", "keys", 0, 1, 1, 0),)

    with pytest.raises(ValueError, match="'keys' has the name of something that every"):
        Explorable(Bad())


def test_the_joined_painter_is_one_module_that_stands_alone(tmp_path):
    code = joined_modules()
    assert "import " not in code.split("export default")[0].replace("important", "")
    file = tmp_path / "joined.mjs"
    file.write_text(code)
    node = shutil.which("node", path=path_with_node())
    assert node
    show = "m => console.log(typeof m.default.render)"
    check = f"import({file.as_uri()!r}).then({show})"
    result = subprocess.run(
        [node, "--input-type=module", "-e", check], capture_output=True, text=True
    )
    assert result.stdout.strip() == "function", result.stderr
