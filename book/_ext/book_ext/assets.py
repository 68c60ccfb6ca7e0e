"""Puts mathematics and fonts on the book's own host, so that no page asks another one
for anything.

They come from node_modules and are copied when the build ends: as static files, Jupyter
Book would load every script among them on every page.
"""

import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

# What MathJax's one combined file may load later: fonts, and the speech that its menu
# can switch on.
MATHJAX = (
    "tex-mml-chtml.js",
    "output/chtml/fonts/woff-v2",
    "input/tex/extensions",
    "a11y",
    "sre",
)
FONTS = ("source-serif-4", "source-sans-3", "source-code-pro")
STYLES = ("wght.css", "wght-italic.css")


def copy_assets(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    modules, static = Path(app.srcdir) / "node_modules", Path(app.outdir) / "_static"
    for name in MATHJAX:
        source, target = modules / "mathjax" / "es5" / name, static / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)
    for font in FONTS:
        source, target = (
            modules / "@fontsource-variable" / font,
            static / "fonts" / font,
        )
        (target / "files").mkdir(parents=True, exist_ok=True)
        for file in (
            *(source / style for style in STYLES),
            *(source / "files").glob("*-wght-*.woff2"),
        ):
            shutil.copyfile(file, target / file.relative_to(source))


def leave_out_thebe(app: Sphinx, config: Config) -> None:
    """Unhook Jupyter Book's live cells: their code would come from another host."""
    listeners = [each for event in app.events.listeners.values() for each in event]
    for listener in listeners:
        if listener.handler.__module__.startswith("sphinx_thebe"):
            app.disconnect(listener.id)
    styles = app.registry.css_files
    styles[:] = [style for style in styles if "thebe" not in style[0]]


def setup(app: Sphinx) -> None:
    for font in FONTS:
        for style in STYLES:
            app.add_css_file(f"fonts/{font}/{style}")
    app.add_css_file("book.css", priority=900)  # after the theme's own
    app.connect("config-inited", leave_out_thebe)
    app.connect("build-finished", copy_assets)
