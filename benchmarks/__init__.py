"""What is fast, how fast, and against what; see docs/performance.md."""
