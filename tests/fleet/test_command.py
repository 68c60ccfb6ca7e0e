"""The command line, as its user meets it: in a process of its own."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tensorfleet.fleet import SCENARIOS, simulate
from tensorfleet.fleet.__main__ import main
from tensorfleet.router.policies import POLICIES

AZURE = Path(__file__).parent / "traces" / "azure.csv"
pytestmark = pytest.mark.host

COMMAND = [sys.executable, "-m", "tensorfleet.fleet"]
SMALL = ["--instances", "2", "--requests", "150", "--rate", "10", "--adapters", "30"]


def run(*arguments):
    result = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    assert "Traceback" not in result.stderr
    return result


def test_a_table():
    """What it prints is the result of the same run in Python."""
    result = run("--scenario", "flash_crowd", "--policy", "random", "--seed", 3, *SMALL)
    assert result.returncode == 0
    assert result.stderr == ""
    sizes = {"instances": 2, "requests": 150, "rate": 10, "adapters": 30}
    assert result.stdout == f"{simulate('flash_crowd', 'random', 3, **sizes)}\n"


def test_all_policies():
    result = run("--policy", "all", *SMALL)
    assert result.returncode == 0
    assert result.stdout.splitlines()[2].split() == list(POLICIES)


def test_json():
    result = run("--policy", "notes,random", "--json", *SMALL)
    results = json.loads(result.stdout)["results"]
    assert [entry["policy"] for entry in results] == ["notes", "random"]
    sizes = {"instances": 2, "requests": 150, "rate": 10, "adapters": 30}
    for entry in results:
        assert entry == simulate("steady", entry["policy"], **sizes).to_dict()


def test_a_trace():
    """Its file alone is enough to choose the scenario."""
    result = run("--trace", AZURE, "--policy", "random", "--json")
    (entry,) = json.loads(result.stdout)["results"]
    assert entry["scenario"] == "trace"
    assert entry["rate"] == SCENARIOS["trace"].workload.rate


def test_help_names_everything_there_is():
    result = run("--help")
    assert result.returncode == 0
    for name in (*SCENARIOS, *POLICIES):
        assert name in result.stdout
    for option in (
        "seed",
        "instances",
        "adapters",
        "rate",
        "requests",
        "trace",
        "json",
    ):
        assert f"--{option}" in result.stdout
    assert all(len(line) <= 88 for line in result.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scenario", "nowhere"], "the scenario is 'nowhere': it must be one of"),
        (["--policy", "best"], "the policy is 'best': it must be all or one of"),
        (["--policy", "random,"], "the policy is ''"),
        (["--rate", "fast"], "invalid float value: 'fast'"),
        (["--rate", "0"], "rate is 0.0: it must be"),
        (["--rate", "nan"], "rate is nan: it must be"),
        (["--instances", "0"], "instances is 0"),
        (["--instances", "2.5"], "invalid int value: '2.5'"),
        (["--adapters", "-3"], "adapters is -3"),
        (["--requests", "0"], "requests is 0"),
        (["--seed", "one"], "invalid int value: 'one'"),
        (["--trace", "no such file"], "no such file: No such file or directory"),
        (["--trace", __file__], ":1: not a known trace"),
        (
            ["--trace", str(AZURE), "--scenario", "burst"],
            "burst makes its own arrivals",
        ),
        (["--trace", str(AZURE), "--requests", "9"], "requests is 9: azure.csv has 3"),
        (["--verbose"], "unrecognized arguments: --verbose"),
        (["--scen", "steady"], "unrecognized arguments: --scen"),
    ],
)
def test_bad_options_get_one_line_and_code_2(arguments, message, capsys):
    """In this process; argparse leaves by SystemExit, as the last line of a program."""
    try:
        code = main(arguments)
    except SystemExit as leaving:
        code = leaving.code
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--rate", "fast"], ["--rate", "0"]])
def test_bad_options_end_the_process_with_code_2(arguments):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stderr.startswith("python -m tensorfleet.fleet: ")


@pytest.mark.slow
def test_progress_on_a_terminal_and_an_interrupt():
    """Standard error is a terminal: the bar moves, and Ctrl-C leaves no traceback."""
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--requests", "1000000", "--policy", "random"],
        stdout=subprocess.PIPE,
        stderr=side,
    )
    os.close(side)
    shown = b""
    while b"/1,000,000" not in shown:
        shown += os.read(terminal, 1000)
    assert b"random (1/1) [" in shown
    process.send_signal(signal.SIGINT)
    # A terminal whose other end is closed gives an error instead of an end.
    with contextlib.suppress(OSError):
        while more := os.read(terminal, 1000):
            shown += more
    os.close(terminal)
    assert process.wait(timeout=30) == 130
    assert process.stdout.read() == b""
    process.stdout.close()
    assert shown.endswith(b"\r\x1b[Kinterrupted\r\n")
    assert b"Traceback" not in shown
