"""What all functions share: the use of the AWS SDK, and the items of the registrations table."""
