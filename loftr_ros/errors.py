"""The root of every error that is meant for the user."""


class LoftrRosError(Exception):
    """Something the user can fix; the message is one sentence that says what and how.

    Programs print it without a traceback and exit with code 2; the node reports it in its diagnostics.
    """
