"""Live explorables: Python decides what is shown, a painter only paints.

marks, picture, scene   what is shown at one moment, as data
plots, rings            marks for axes with data in them, and for circles
panel                   an explorable as a state machine
widget                  the same panel in Jupyter (needs anywidget)
web/                    the painter, and what runs a panel in a page
"""

from tensorfleet.explore.panel import Button, Choice, Panel, Slider, Toggle, Words
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.scene import Scene

__all__ = [
    "Button",
    "Choice",
    "Panel",
    "Picture",
    "Scene",
    "Slider",
    "Toggle",
    "Words",
]
