"""Tracebacks in the page have no colours: everything is painted with nothing."""


class _Plain:
    def __getattr__(self, name: str) -> str:
        return ""


class _Theme:
    traceback = _Plain()


def can_colorize(*, file: object = None) -> bool:
    return False


def get_theme(**options: object) -> _Theme:
    return _Theme()
