"""How fast it is, and compared to what; see docs/performance.md."""
