"""The subscriber: reads AWS Marketplace's events from a queue, and records who may use the product, by their times."""
