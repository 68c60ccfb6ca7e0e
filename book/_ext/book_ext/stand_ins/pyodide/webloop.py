"""A page has no event loop in Python: it asks, and Python answers."""


def _initialize_event_loop() -> None:
    pass
