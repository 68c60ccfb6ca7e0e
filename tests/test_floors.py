"""The house's rules on imports.

What the browser runs needs no third-party package; arrows point down.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src"
MODULES = {
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(
        ".__init__"
    ): path
    for path in sorted(SRC.rglob("*.py"))
}
CHAPTERS = {name.split(".")[1] for name in MODULES if name.count(".") == 2} - {
    "explore",
    "exercises",
}
# The parts of a chapter that may see tensors, and the widget of explorables; every
# other module is standard library only.
TENSOR_MODULES = {
    *("ops", "kernel", "arguments", "workload", "widget"),
    *("allocations", "fused", "launching", "meter", "model", "networks"),
    *("training", "classify", "language"),
}


def is_standard_library_only(name: str) -> bool:
    return name.rpartition(".")[2] not in TENSOR_MODULES


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path} imports relatively: write the whole name"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.host
def test_standard_library_modules_import_alone():
    """In a fresh process.

    It has no site-packages and refuses every module but Python's and ours.
    """
    names = [name for name in MODULES if is_standard_library_only(name)]
    program = f"""
import sys
class OnlyStandardLibrary:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top != "tensorfleet" and top not in sys.stdlib_module_names:
            raise ImportError(f"{{name}} is not in the standard library")
sys.meta_path.insert(0, OnlyStandardLibrary())
sys.path.insert(0, {str(SRC)!r})
import importlib
for name in {names!r}:
    importlib.import_module(name)
print(len(set({names!r}) & set(sys.modules)))
"""
    result = subprocess.run(
        [sys.executable, "-S", "-E", "-c", program], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) == len(names) >= 8


@pytest.mark.parametrize(
    "name", [name for name in MODULES if not is_standard_library_only(name)]
)
def test_tensor_modules_are_not_imported_by_standard_library_ones(name):
    importers = [other for other, path in MODULES.items() if name in imports_of(path)]
    assert not [other for other in importers if is_standard_library_only(other)]


def test_kernels_are_imported_by_no_module_of_the_package():
    """torch users on machines without Triton must be able to import everything else."""
    for name, path in MODULES.items():
        assert not [used for used in imports_of(path) if used.endswith(".kernel")], name


# Which other chapters a chapter's modules may use, by the drawing of the house. Of
# attention only `costs`.
MAY_USE = {
    "bleu": {"scatter"},  # of which only `ops`
    "router": {"hashing", "choices"},
    "fleet": {"hashing", "choices", "router", "attention"},
}


def test_chapters_import_each_other_only_downwards():
    for name, path in MODULES.items():
        own = name.split(".")[1] if name.count(".") else None
        if own not in CHAPTERS:
            continue
        imported = {m for m in imports_of(path) if m.startswith("tensorfleet.")}
        used = {module.split(".")[1] for module in imported}
        assert used & CHAPTERS <= {own} | MAY_USE.get(own, set()), name
        attention = {m for m in imported if m.startswith("tensorfleet.attention")}
        if own != "attention":
            assert all("costs" in module for module in attention), name


def test_nothing_in_the_router_but_its_runner_knows_threads_or_clocks():
    """Whoever drives the router passes the time, and the runner is one of them."""
    outside = {"time", "datetime", "threading", "socket", "asyncio", "os", "pathlib"}
    for name, path in MODULES.items():
        if name.split(".")[1:2] in (["hashing"], ["choices"], ["router"]):
            used = imports_of(path)
            assert name == "tensorfleet.router.runner" or not used & outside, name
            assert "tensorfleet.router.runner" not in used, name
