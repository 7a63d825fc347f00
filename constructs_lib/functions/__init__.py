"""A Lambda function with its asset, log group and role; knows no capability."""
