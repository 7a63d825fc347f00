"""The use of the AWS SDK that all functions share."""
