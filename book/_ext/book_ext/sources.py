"""Finds numbers and plots: in the labs' stored outputs, and in recorded benchmarks.

A lab quantity is named `chapter.name`; a recorded one `chapter.name@device`, where
`device` is a folder of benchmarks/results. Every file read is noted as a dependency of
the page, so that the page is built anew when the file changes.
"""

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sphinx.environment import BuildEnvironment

from tensorfleet.lab import MIME_TYPE, with_unit


class NotFound(LookupError):
    """No such number, plot or file; the message says what there is."""


@dataclass(frozen=True)
class Found:
    """A number with its origin: device, date, and the place in a lab, if from one."""

    value: float
    unit: str
    device: str
    date: str
    lab: str | None = None  # its document
    label: str = ""  # the last label above the cell

    @property
    def text(self) -> str:
        return with_unit(self.value, self.unit)


def find_quantity(env: BuildEnvironment, name: str) -> Found:
    """The number of this name, "chapter.quantity" or "chapter.quantity@device".

    Raises NotFound.
    """
    address, _, device = name.partition("@")
    chapter, _, quantity = address.partition(".")
    if not quantity:
        raise NotFound(
            f"{name!r} is no name of a number: it must be chapter.quantity "
            "or chapter.quantity@device"
        )
    if device:
        record = find_record(env, chapter, device)
        if record is None:
            raise NotFound(f"nothing is recorded for {chapter} on {device}")
        entry = _pick(
            record["quantities"], quantity, f"the record of {chapter} on {device}"
        )
        return Found(
            entry["value"], entry["unit"], record["device"], record["date"], None
        )
    lab = _read_lab(env, chapter)
    facts = lab["metadata"]["tensorfleet"]
    entry = _pick(_lab_quantities(lab), quantity, f"the lab {chapter}")
    origin = facts["device"], facts["executed"], f"notebooks/{chapter}", entry["label"]
    return Found(entry["value"], entry["unit"], *origin)


def find_record(
    env: BuildEnvironment, chapter: str, device: str
) -> dict[str, Any] | None:
    """What benchmarks/<chapter>.py recorded on `device`, or None where it has not been
    run there.
    """
    file = Path(env.srcdir) / "benchmarks" / "results" / device / f"{chapter}.json"
    env.note_dependency(str(file))
    return json.loads(file.read_text()) if file.exists() else None


def find_plot(env: BuildEnvironment, chapter: str, cell_id: str) -> bytes:
    """The PNG that the cell with this id of the chapter's lab drew. Raises NotFound."""
    cells = {cell.get("id"): cell for cell in _read_lab(env, chapter)["cells"]}
    cell = _pick(cells, cell_id, f"the lab {chapter}")
    for output in cell.get("outputs", []):
        if "image/png" in output.get("data", {}):
            return base64.b64decode("".join(output["data"]["image/png"]))
    raise NotFound(f"cell {cell_id!r} of the lab {chapter} drew no plot")


def _read_lab(env: BuildEnvironment, chapter: str) -> dict[str, Any]:
    file = Path(env.srcdir) / "notebooks" / f"{chapter}.ipynb"
    env.note_dependency(str(file))
    if not file.exists():
        raise NotFound(f"there is no lab {chapter!r}")
    lab: dict[str, Any] = json.loads(file.read_text())
    return lab


def _lab_quantities(lab: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The quantities by name, each with the last label, `(label)=`, above its cell."""
    found, label = {}, ""
    for cell in lab["cells"]:
        if cell["cell_type"] == "markdown":
            labels = re.findall(
                r"^\(([\w-]+)\)=$", "".join(cell["source"]), re.MULTILINE
            )
            label = labels[-1] if labels else label
        for output in cell.get("outputs", []):
            if MIME_TYPE in output.get("data", {}):
                quantity = output["data"][MIME_TYPE]
                if quantity["name"] in found:
                    raise NotFound(f"two quantities are named {quantity['name']!r}")
                found[quantity["name"]] = quantity | {"label": label}
    return found


def _pick(entries: dict[str, Any], name: str, where: str) -> Any:
    if name not in entries:
        known = ", ".join(sorted(filter(None, entries)))
        raise NotFound(f"{where} has no {name!r}: it has {known}")
    return entries[name]
