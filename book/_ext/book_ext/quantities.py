"""{measured} and {predicted-measured}: numbers in the text, each from the run that
produced it.
"""

from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective, SphinxRole

from book_ext.sources import Found, NotFound, find_quantity, find_record
from book_ext.tables import Cell, table
from tensorfleet.lab import format_value

# The devices that the book reports, and how a table names one on which nothing has been
# recorded yet.
DEVICES = {"cpu": "A laptop's or server's CPU", "nvidia-h200": "NVIDIA H200"}


class MeasuredRole(SphinxRole):
    """{measured}`scatter.hottest_words` or {measured}`scatter.bincount_speedup@cpu`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        try:
            found = find_quantity(self.env, self.text)
        except NotFound as error:
            message = self.inliner.reporter.error(
                f"measured: {error}", line=self.lineno
            )
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [
                message
            ]
        return [_number(found, self.env)], []


class PredictedMeasured(SphinxDirective):
    """A table from lines of `- what, predicted, measured`, the last two names of
    recorded quantities.

    Without @device in them: each device of DEVICES gets a block, and one that has no
    record says so.
    """

    has_content = True
    required_arguments = 1  # the chapter whose records are shown

    def run(self) -> list[nodes.Node]:
        rows: list[dict[str, str]] = yaml.safe_load("\n".join(self.content))
        blocks: list[tuple[str | None, list[list[Cell]]]] = []
        for device, title in (self._others() | DEVICES).items():
            record = find_record(self.env, self.arguments[0], device)
            if record is None:
                blocks.append((f"**{title}**: not yet recorded", []))
                continue
            try:
                blocks.append(
                    (_device_line(record), [self._row(row, device) for row in rows])
                )
            except NotFound as error:
                raise self.error(f"predicted-measured: {error}") from error
        titles = ["Quantity", "Predicted", "Measured", "Measured / predicted"]
        return [table(self, titles, blocks, "predicted-measured")]

    def _others(self) -> dict[str, str]:
        """Devices that have been recorded besides those that the book always names."""
        results = Path(self.env.srcdir) / "benchmarks" / "results"
        files = sorted(results.glob(f"*/{self.arguments[0]}.json"))
        return {
            file.parent.name: "" for file in files if file.parent.name not in DEVICES
        }

    def _row(self, row: dict[str, str], device: str) -> list[Cell]:
        predicted, measured = (
            find_quantity(self.env, f"{self.arguments[0]}.{row[column]}@{device}")
            for column in ("predicted", "measured")
        )
        if predicted.unit != measured.unit:
            raise self.error(
                f"{row['what']}: predicted in {predicted.unit!r} "
                f"but measured in {measured.unit!r}"
            )
        ratio = format_value(float(f"{measured.value / predicted.value:.2g}"))
        return [
            row["what"],
            nodes.Text(predicted.text),
            nodes.Text(measured.text),
            nodes.Text(ratio),
        ]


def _device_line(record: dict[str, Any]) -> str:
    versions = ", ".join(
        f"{name} {version}" for name, version in record["versions"].items()
    )
    driver = f", driver {record['driver']}" if record["driver"] else ""
    return f"**{record['device']}** ({versions}{driver}; {record['date']})"


def _number(found: Found, env: BuildEnvironment) -> nodes.Node:
    """The number. From a lab: linked to its place there, the origin shown on hover.

    From a record: with device and date beside the first of a page, and on hover for all
    others.
    """
    origin = f"{found.device.split(',')[0]}, {found.date}"
    if found.lab is None:
        shown = env.temp_data.setdefault("shown_origins", set())
        if origin in shown:
            return nodes.abbreviation("", found.text, explanation=f"recorded: {origin}")
        shown.add(origin)
        beside = nodes.inline("", f" ({origin})", classes=["origin"])
        return nodes.inline("", "", nodes.Text(found.text), beside)
    address = (
        f"{env.app.builder.get_relative_uri(env.docname, found.lab)}#{found.label}"
    )
    title = f"from the lab, run on {origin}"
    link = nodes.reference(
        "", found.text, refuri=address, internal=True, reftitle=title
    )
    return nodes.inline("", "", link, classes=["measured"])


def setup(app: Sphinx) -> None:
    app.add_role("measured", MeasuredRole())
    app.add_directive("predicted-measured", PredictedMeasured)
