"""Time limits and retries of one call to each service.

All calls of a request, with every retry, end inside the function's time: a test does the arithmetic. Marketplace gets
the most, because for most sellers it is in another region and its delay is the buyer's wait.
"""

from botocore.config import Config

MARKETPLACE = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
DYNAMODB = Config(connect_timeout=0.5, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})
STS = Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})
EVENTS = Config(connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3})
