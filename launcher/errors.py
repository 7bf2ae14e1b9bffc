"""The errors the launcher shows as one line."""


class LauncherError(Exception):
    """Something run.py cannot do; the message is one line and names the fix. ``code`` is the process exit code."""

    code = 1


class UsageError(LauncherError):
    """A wrong name or argument on the command line."""

    code = 2


class WorkflowError(LauncherError):
    """The host refused a workflow or failed while running it; the message holds the host's own error line, ``log`` its
    traceback."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class HostError(LauncherError):
    """The host did not start, or stopped on its own."""
