"""{claims}: what the notes say, checked; from the file <chapter>.claims.yml beside the
page.

- claim: what the notes say, in our words (Markdown)
  verdict: holds | holds with a condition | wrong
  evidence: what shows it (Markdown)
  cell: the label of the place in the lab that shows it, to which the verdict links
"""

from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book_ext.tables import table

VERDICTS = {"holds": "holds", "holds with a condition": "condition", "wrong": "wrong"}
FIELDS = {"claim", "verdict", "evidence", "cell"}


class Claims(SphinxDirective):
    """The table of the chapter on whose page it stands."""

    def run(self) -> list[nodes.Node]:
        page = Path(self.env.doc2path(self.env.docname))
        file = page.with_suffix(".claims.yml")
        self.env.note_dependency(str(file))
        if not file.exists():
            raise self.error(f"claims: there is no {file.name} beside {page.name}")
        rows = [self._row(entry) for entry in yaml.safe_load(file.read_text())]
        return [
            table(
                self,
                ["The notes say", "Verdict", "What shows it"],
                [(None, rows)],
                "claims",
            )
        ]

    def _row(self, entry: dict[str, str]) -> list[Any]:
        if set(entry) != FIELDS:
            raise self.error(
                f"claims: an entry has {sorted(entry)}: it must have {sorted(FIELDS)}"
            )
        if entry["verdict"] not in VERDICTS:
            raise self.error(
                f"claims: a verdict is {entry['verdict']!r}: it must be one of "
                f"{', '.join(VERDICTS)}"
            )
        link = addnodes.pending_xref(
            "",
            nodes.inline("", entry["verdict"]),
            refdomain="std",
            reftype="ref",
            reftarget=entry["cell"],
            refexplicit=True,
            refwarn=True,
            refdoc=self.env.docname,
        )
        classes = ["verdict", VERDICTS[entry["verdict"]]]
        verdict = nodes.inline("", "", link, classes=classes)
        return [entry["claim"], verdict, entry["evidence"]]


def setup(app: Sphinx) -> None:
    app.add_directive("claims", Claims)
