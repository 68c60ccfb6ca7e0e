"""Documents out of the topics of Python's help, and of topics made up for the test."""

import pytest

from tensorfleet.bert.text import SHORTEST, Document, documents, python_topics, split

SHARED = "This paragraph stands in both. It has two sentences."


def topic(letter, sentences=SHORTEST):
    """A topic of so many paragraphs, of one sentence each."""
    return "\n\n".join(
        f"Sentence {letter} {'very ' * n}has its own words." for n in range(sentences)
    )


def test_a_paragraph_stays_in_the_largest_topic_alone():
    made = {
        "small": f"{topic('b')}\n\n{SHARED}",
        "large": f"{SHARED}\n\n{topic('a', 20)}",
    }
    large, small = documents(made)
    assert (large.name, small.name) == ("large", "small")
    assert large.sentences[:2] == (
        "This paragraph stands in both.",
        "It has two sentences.",
    )
    assert len(large.sentences) == 22
    assert len(small.sentences) == SHORTEST


def test_only_prose_is_kept_and_its_markup_is_not():
    text = f"""Headings go
***********

   stmt ::= "while" expression "and so on, here".

>>> print("a line of code, that ends so.")

+-----------------+----------------+
| tables do not stay, not even so. |
+-----------------+----------------+

* The "list" of *points* stays
  (as “one line”.)

{topic("a")}"""
    (document,) = documents({"only": text})
    assert document.sentences[0] == "The list of points stays (as one line.)"
    assert len(document.sentences) == SHORTEST + 1


def test_what_is_left_of_a_topic_may_be_too_little():
    assert documents({"few": topic("a", SHORTEST - 1)}) == []


def test_whole_documents_are_held_out_and_none_is_lost():
    made = [Document(str(n), ("A sentence.",)) for n in range(10)]
    train, held_out = split(made, every=3)
    assert [document.name for document in held_out] == ["2", "5", "8"]
    assert sorted(train + held_out, key=lambda d: d.name) == made
    with pytest.raises(ValueError, match="every is 1: it must be 2 or more"):
        split(made, every=1)


def test_pythons_own_topics_are_enough_to_train_on():
    """In every version of Python: enough, and no paragraph on both sides."""
    pytest.importorskip("pydoc_data.topics", reason="the browser's Python has no help")
    found = documents(python_topics())
    train, held_out = split(found)
    assert len(held_out) >= 5
    sizes = [sum(len(d.sentences) for d in part) for part in (train, held_out)]
    assert sizes[0] > 1000
    assert sizes[1] > 100
    # Long sentences do not come twice. (Short ones may: "Return None.")
    long_ones = [s for d in found for s in d.sentences if len(s) > 120]
    assert len(set(long_ones)) > 0.97 * len(long_ones)
    known = {s for d in train for s in d.sentences if len(s) > 120}
    assert not known & {s for d in held_out for s in d.sentences}
    text = " ".join(s for d in found for s in d.sentences)
    assert "::=" not in text
    assert ">>>" not in text
    assert '"' not in text
    assert documents(python_topics()) == found
