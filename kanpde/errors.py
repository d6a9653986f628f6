"""What can go wrong, in words for the user: one line each, with the cure.

The command line turns `ProblemError` and `StoreError` into exit status 2 without a traceback.
"""


class KanpdeError(Exception):
    """Root of every error that the package raises on purpose."""


class ProblemError(KanpdeError, ValueError):
    """A bad problem or a bad argument; the message is one line and names the cure."""


class StoreError(KanpdeError):
    """A file that is damaged, foreign or cannot be written."""


class ProblemWarning(UserWarning):
    """A problem that can be meant as it stands, but often is not."""
