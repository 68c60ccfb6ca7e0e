"""Documents out of the topics of Python's help, and of topics made up for the test."""

import pytest

from tensorfleet.bert.text import SHORTEST, Document, documents, python_topics, split

SHARED = "This paragraph\n   stands in both.  It has two lines."


def topic(letter, words=SHORTEST):
    """A topic of so many words, in paragraphs of two."""
    return "\n\n".join(f"{letter}{n} text" for n in range(words // 2))


def test_a_paragraph_stays_in_the_largest_topic_alone():
    made = {
        "small": f"{topic('b')}\n\n{SHARED}",
        "large": f"{SHARED}\n\n{topic('a', 2 * SHORTEST)}\n\n{SHARED}",
    }
    large, small = documents(made)
    assert (large.name, small.name) == ("large", "small")
    assert large.paragraphs[0] == "This paragraph stands in both. It has two lines."
    assert large.text.count("stands in both") == 1
    assert len(large.paragraphs) == SHORTEST + 1
    assert len(small.paragraphs) == SHORTEST // 2
    assert small.text.split() == topic("b").split()


def test_equals_go_by_name():
    made = {"b": f"{topic('b')}\n\n{SHARED}", "a": f"{topic('a')}\n\n{SHARED}"}
    first, second = documents(made)
    assert (first.name, second.name) == ("a", "b")
    assert "stands in both" in first.text
    assert "stands in both" not in second.text


def test_drawn_lines_and_marks_go_and_the_rest_stays():
    text = f"""A "heading"
***********

   while_stmt ::= "while" *test* ":" suite ...

+--------+------+
| a table| [1]  |
+========+======+

{topic("a")}"""
    (document,) = documents({"only": text})
    assert document.paragraphs[:3] == (
        "A heading",
        "while_stmt ::= while test : suite .",
        "+-+-+ | a table| [1] | +=+=+",
    )


def test_what_is_left_of_a_topic_may_be_too_little():
    assert documents({"few": topic("a", SHORTEST - 2)}) == []


def test_whole_documents_are_held_out_and_none_is_lost():
    made = [Document(str(n), ("A paragraph.",)) for n in range(10)]
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
    sizes = [sum(len(d.text.split()) for d in part) for part in (train, held_out)]
    assert sizes[0] > 30_000
    assert sizes[1] > 5_000
    paragraphs = [text for document in found for text in document.paragraphs]
    assert len(set(paragraphs)) == len(paragraphs)
    assert documents(python_topics()) == found
