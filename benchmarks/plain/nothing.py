"""A no-op handler: only the interpreter and the runtime's own client are left."""


def handler(_event: object, _context: object) -> dict[str, int]:
    """Respond as the others do."""
    return {"statusCode": 303}
