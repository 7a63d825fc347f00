"""The subscriptions' functions."""
