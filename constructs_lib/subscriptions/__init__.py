"""Who may use the product, now? Marketplace's events recorded, and told to the seller's event bus."""
