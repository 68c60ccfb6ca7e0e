"""The commands behind the Makefile: what they say when something is in the way."""

import os
import re
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

import browser
import npm_install
import serve

ROOT = Path(__file__).parents[2]


def run(*command, **environment):
    return subprocess.run(
        [*map(str, command)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
        timeout=120,
    )


def test_serving_on_a_port_in_use_says_so():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run(sys.executable, "tools/serve.py", "--port", port)
    assert result.returncode == 1
    said = rf"Port {port} is in use\. Choose another: make book PORT=\d+\n"
    assert re.fullmatch(said, result.stderr)


def test_serving_on_an_impossible_port_says_so():
    result = run(sys.executable, "tools/serve.py", "--port", 70000)
    assert result.returncode == 1
    assert "PORT is 70000: it must be 1 to 65535" in result.stderr


def test_serving_prints_the_address_and_serves(tmp_path, monkeypatch):
    (tmp_path / "page.html").write_text("the page")
    (tmp_path / "module.mjs").write_text("export default 1")
    monkeypatch.setattr(serve, "SITE", tmp_path)
    with serve.book_server(0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        with urllib.request.urlopen(f"{address}/page.html") as response:
            assert response.read() == b"the page"
        with urllib.request.urlopen(f"{address}/module.mjs") as response:
            assert response.headers["Content-Type"] == "text/javascript"
        server.shutdown()


def test_a_missing_browser_is_one_sentence_on_how_to_get_one(tmp_path):
    result = run(sys.executable, "tools/browser.py", PATH=str(tmp_path), CHROMIUM="")
    if result.returncode == 0:
        assert "/Applications/" in result.stdout  # macOS looks beside the PATH too
    else:
        assert result.stderr == browser.MISSING + "\n"


def test_a_browser_named_but_absent_is_said():
    result = run(sys.executable, "tools/browser.py", CHROMIUM="/nowhere/chrome")
    assert result.returncode == 1
    assert "CHROMIUM is '/nowhere/chrome': no such program" in result.stderr


@pytest.mark.parametrize(
    ("printed", "version"), [("v24.19.0", 24), ("v18.1.0", 18), ("", 0)]
)
def test_node_version(tmp_path, printed, version):
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {printed}\n")
        program.chmod(0o755)
    assert npm_install.node_version(str(tmp_path)) == version


def test_no_node_is_version_0(tmp_path):
    assert npm_install.node_version(str(tmp_path)) == 0


def test_make_help_names_every_public_target():
    listed = run("make", "help").stdout
    for target in (
        "book",
        "html",
        "test",
        "check",
        "lab",
        "notebooks",
        "bench",
        "gpu",
        "lock",
    ):
        assert f"  make {target} " in listed


def test_an_old_python_is_refused(tmp_path):
    old = tmp_path / "python-old"
    old.write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "import sys; '
        "sys.version_info = (3, 9, 1); "
        'sys.version = \'3.9.1 old\'; exec(sys.argv[1])" "$2"\n'
    )
    old.chmod(0o755)
    result = run("make", "lint", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert result.returncode != 0
    assert "Python 3.11 or newer is needed, and this is 3.9.1" in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("chapter", ["hashing", "choices", "router"])
def test_the_fleets_benchmarks_run(chapter):
    result = run(sys.executable, f"benchmarks/{chapter}.py", "--quick")
    assert result.returncode == 0, result.stderr
    assert "of peer" in result.stdout


@pytest.mark.slow
def test_the_benchmark_runs_and_refuses_to_record_tiny_sizes():
    result = run(sys.executable, "benchmarks/scatter.py", "--quick")
    assert result.returncode == 0, result.stderr
    assert "peer/ours" in result.stdout
    refused = run(sys.executable, "benchmarks/scatter.py", "--quick", "--record")
    assert refused.returncode == 2
    assert "they are not recorded" in refused.stderr
