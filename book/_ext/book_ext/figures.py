"""{lab-figure}: a plot that a lab drew, taken from its stored outputs.

    ```{lab-figure} scatter contention
    :alt: what a reader who cannot see it should know
    The caption.
    ```

The first argument is the chapter, the second the id of the cell.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book_ext.sources import NotFound, find_plot
from book_ext.tables import parse

FOLDER = Path("_build") / "lab-figures"


class LabFigure(SphinxDirective):
    has_content = True
    required_arguments = 2
    option_spec = {"alt": directives.unchanged_required}  # noqa: RUF012 (docutils' own form)

    def run(self) -> list[nodes.Node]:
        chapter, cell_id = self.arguments
        if "alt" not in self.options:
            raise self.error(
                "lab-figure: the option alt is missing: say what the plot shows"
            )
        try:
            png = find_plot(self.env, chapter, cell_id)
        except NotFound as error:
            raise self.error(f"lab-figure: {error}") from error
        file = FOLDER / f"{chapter}-{cell_id}.png"
        target = Path(self.env.srcdir) / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(png)
        image = nodes.image(uri=f"/{file.as_posix()}", alt=self.options["alt"])
        caption = nodes.caption(
            "", "", *parse(self, "\n".join(self.content))[0].children
        )
        return [nodes.figure("", image, caption, classes=["lab-figure"])]


def setup(app: Sphinx) -> None:
    app.add_directive("lab-figure", LabFigure)
