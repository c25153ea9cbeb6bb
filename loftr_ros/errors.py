"""The root of every error that is meant for the user."""

from typing import ClassVar


class LoftrRosError(Exception):
    """Something the user can fix; the message is one sentence that says what and how.

    Programs print it without a traceback and exit with `exit_code`; the node reports it in its diagnostics.

    Attributes:
        exit_code: 2 for input or options that cannot be used; 1 for a computation that gave no result.
    """

    exit_code: ClassVar[int] = 2


class NoPoseError(LoftrRosError):
    """Images from which no pose could be measured."""

    exit_code = 1


def shortened(text: object, limit: int = 200) -> str:
    """Quote foreign text in a message: on one line, without control characters, at most `limit` characters."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(str(text).split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
