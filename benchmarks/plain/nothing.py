"""Answers and does nothing: what is left is the interpreter and the runtime's own client."""


def handler(_event: object, _context: object) -> dict[str, int]:
    """Answer as the others do."""
    return {"statusCode": 303}
