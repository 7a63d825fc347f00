"""The reconciler: holds what is recorded against AWS Marketplace's agreements, and records what an event missed."""
