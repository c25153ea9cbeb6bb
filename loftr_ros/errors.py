"""Base class of all errors for the user."""

from typing import ClassVar


class LoftrRosError(Exception):
    """An error that the user can fix; the message is one sentence with the problem and the fix.

    Programs print it without a traceback and exit with `exit_code`; the node reports it in its diagnostics.

    Attributes:
        exit_code: 2 for unusable input or options; 1 for a computation without a result.
    """

    exit_code: ClassVar[int] = 2


class NoPoseError(LoftrRosError):
    """No pose could be estimated from the images."""

    exit_code = 1


def shortened(text: object, limit: int = 200) -> str:
    """Quote foreign text in a message: on one line, without control characters, at most `limit` characters."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(str(text).split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def quoted(text: object) -> str:
    """Return a short field of a message or file in quotes, for a message to the user."""
    return f"'{shortened(text, 60)}'"
