"""What every function does with the AWS SDK, the same way."""
