"""Who is this buyer? The fulfillment URL of a product, and everything that watches it."""
