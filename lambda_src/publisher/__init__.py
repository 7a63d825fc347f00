"""The publisher: tells the seller's event bus what changed in the registrations table."""
