"""What tests of panels do to them, and how they read what is shown."""


def do(panel, name, value=None):
    """Let time "pass", "pick" a mark, or set and press what the panel declares."""
    if name == "pass":
        panel.advance(value)
    elif name == "pick":
        panel.pick(value)
    else:
        panel.act(name, value)


def marks_of(panel, kind, begins=""):
    """All marks of a kind that are shown, by key; of those that begin so."""
    return {
        mark.key: mark
        for picture in panel.frame().pictures
        for mark in picture.marks
        if isinstance(mark, kind) and mark.key.startswith(begins)
    }
