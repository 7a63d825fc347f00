"""The error of the local AWS, which needs nothing that is not installed."""


class LocalAwsError(Exception):
    """The local AWS did not start, or a command failed; the message includes the output."""
