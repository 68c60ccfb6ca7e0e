"""The planted bugs must fit the code as it stands; tools/mutants.py runs them."""

import pytest

import mutants

ALL = mutants.catalogue()


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_every_mutant_still_applies(mutant):
    """What it replaces is there once, and what comes of it is Python."""
    path = mutants.ROOT / "src" / "tensorfleet" / mutant.file
    source = path.read_text()
    planted = mutant.planted(source)
    assert planted != source
    compile(planted, mutant.file, "exec")
    assert mutant.nets
    for net in mutant.nets:
        assert net == "chaos" or (mutants.ROOT / net).exists()


def test_there_are_bugs_in_every_chapter_whose_correctness_is_subtle():
    assert len(ALL) >= 20
    chapters = {mutant.file.partition("/")[0] for mutant in ALL}
    assert chapters >= {"hashing", "choices", "router", "fleet"}
    assert chapters >= {"loss", "attention", "bert", "bleu", "ppo"}
    assert len({mutant.name for mutant in ALL}) == len(ALL)


@pytest.mark.parametrize("source", ["nothing of it", "one = 1\none = 1\n"])
def test_a_mutant_that_does_not_fit_is_an_error(source):
    mutant = mutants.Mutant("a bug", "a.py", "one = 1", "one = 2", ("chaos",))
    with pytest.raises(ValueError, match="'a bug' does not apply"):
        mutant.planted(source)


def test_the_list_names_every_bug_and_only_those_asked_for(capsys):
    assert mutants.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(ALL)
    assert mutants.main(["--list", "--only", "lease"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert all("lease" in line for line in lines)


def test_bad_options_are_refused():
    for options in (["--only", "no such bug"], ["--jobs", "0"], ["--seeds", "0"]):
        with pytest.raises(SystemExit) as error:
            mutants.main(options)
        assert error.value.code == 2


@pytest.mark.slow
def test_a_bug_is_planted_in_a_copy_and_found_or_survives(capsys):
    """One that the first seeds find, and one that does no harm."""
    source = (mutants.ROOT / "src/tensorfleet/router/instances.py").read_text()
    deadly = next(m for m in ALL if m.name == "a request that came back stays counted")
    harmless = mutants.Mutant(
        "nothing", deadly.file, deadly.old, deadly.old + "        pass\n", ("chaos",)
    )
    absent = mutants.Mutant("absent", deadly.file, "no such text", "", ("chaos",))
    assert mutants.hunt([deadly, harmless, absent], seeds=3, jobs=1) == 2
    found, why, survived, _, error, _, total = capsys.readouterr().out.splitlines()
    assert found.startswith("[1/3] found")
    assert why.strip().startswith("chaos: seed ")
    assert survived.startswith("[2/3] survived")
    assert error.startswith("[3/3] ERROR")
    assert total == "1 of 3 bugs found"
    assert source == (mutants.ROOT / "src/tensorfleet/router/instances.py").read_text()
