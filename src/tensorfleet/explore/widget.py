"""Any panel as a Jupyter widget: painted as in the book, run by the kernel.

    ring = Explorable(HashingPanel())
    ring                                     # drive it in place
    ring.num_keys = 100                      # or from Python
    ipywidgets.jslink((slider, "value"), (ring, "num_keys"))

Each setting of the panel is a trait of the widget, so that it can be observed, and
linked to other widgets. Where there is no kernel, in the rendered book or on a page
that shows notebooks, the still picture stands in its place.

Does not handle: several views of one widget keep one time, which passes in each.
"""

import re
from pathlib import Path
from typing import Any

import traitlets
from anywidget import AnyWidget

from tensorfleet.explore.html import describe, to_html
from tensorfleet.explore.panel import Button, Panel, Setting
from tensorfleet.explore.session import do, in_words

WEB = Path(__file__).parent / "web"
PARTS = ("inputs.mjs", "picture.mjs", "words.mjs", "view.mjs")


def joined_modules() -> str:
    """The painter as one module, which is what a widget is made of."""
    code = "\n".join((WEB / part).read_text(encoding="utf-8") for part in PARTS)
    code = re.sub(r'^import .* from "\./.*";\n', "", code, flags=re.MULTILINE)
    return re.sub(r"^export (?!default)", "", code, flags=re.MULTILINE)


class SettingTrait(traitlets.TraitType[Any, Any]):
    """The value of a setting; what its declaration excludes is refused."""

    def __init__(self, setting: Setting, value: object) -> None:
        super().__init__(value)
        self.setting = setting

    def validate(self, obj: Any, value: Any) -> Any:
        try:
            return self.setting.checked(value)
        except (TypeError, ValueError) as error:
            raise traitlets.TraitError(str(error)) from error


class Explorable(AnyWidget):
    """A widget that shows `panel`; every setting is a trait of the same name.

    Raises TypeError for what is no panel, ValueError for a setting that has the name of
    something that every widget has, and traitlets.TraitError when a trait is set to a
    value that the panel's declaration excludes.
    """

    _esm = joined_modules()
    _css = (WEB / "explorable.css").read_text(encoding="utf-8")
    path = traitlets.Unicode().tag(sync=True)
    description = traitlets.Dict().tag(sync=True)

    def __init__(self, panel: Panel) -> None:
        if not isinstance(panel, Panel):
            raise TypeError(f"the panel is {panel!r}: it must be a Panel")
        for control in panel.controls:
            if hasattr(Explorable, control.name) or control.name == "panel":
                raise ValueError(
                    f"the setting {control.name!r} has the name of something that "
                    "every widget has: it must have another"
                )
        self.panel = panel
        kind = type(panel)
        super().__init__(
            path=f"{kind.__module__}:{kind.__qualname__}", description=describe(panel)
        )
        self._settings = {
            control.name: control
            for control in panel.controls
            if not isinstance(control, Button)
        }
        traits = {
            name: SettingTrait(setting, panel.state[name]).tag(sync=True)
            for name, setting in self._settings.items()
        }
        self.add_traits(**traits)
        self.observe(self._set, list(traits))
        self.on_msg(self._answer)

    def act(self, name: str, value: object = None) -> None:
        """Set a setting or press a button, as a reader does."""
        if name in self._settings:
            setattr(self, name, value)
        else:
            self.panel.act(name)
            self._show()

    def _set(self, change: dict[str, Any]) -> None:
        """A trait has changed, in Python or through a link: so does the panel."""
        if self.panel.state[change["name"]] != change["new"]:
            self.panel.act(change["name"], change["new"])
            self._show()

    def _show(self) -> None:
        """The panel has changed: so do the views and the traits."""
        self._paint()
        self._follow()

    def _paint(self, number: int | None = None) -> None:
        """Tell all views what to show; `number` is that of the message answered."""
        scene = self.panel.frame().to_dict()
        self.send({"scene": scene, "state": self.panel.state, "n": number})

    def _answer(self, _: object, message: dict[str, Any], buffers: object) -> None:
        """What the reader did in a view."""
        try:
            do(self.panel, message)
            self._paint(message.get("n"))
        except Exception as error:  # of a panel's own code: the view says it in place
            self.send({"error": in_words(error), "n": message.get("n")})
        self._follow()

    def _follow(self) -> None:
        """What the panel did may have changed settings: so do the traits."""
        with self.hold_sync():
            for name, value in self.panel.state.items():
                setattr(self, name, value)

    def __repr__(self) -> str:
        state = ", ".join(f"{k}={v!r}" for k, v in self.panel.state.items())
        return f"Explorable({type(self.panel).__name__}({state}))"

    def _repr_mimebundle_(self, **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_(**how)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        kind = type(self.panel)
        name = f"explorable-{kind.__name__}"
        still = to_html(kind, dict(self.panel.state), name=name)
        return {**data, "text/html": still, "text/plain": repr(self)}, metadata
