"""Live explorables: Python decides what is shown, a painter only paints."""

from tensorfleet.explore.panel import Button, Choice, Panel, Slider, Toggle, Words
from tensorfleet.explore.scene import Scene

__all__ = ["Button", "Choice", "Panel", "Scene", "Slider", "Toggle", "Words"]
