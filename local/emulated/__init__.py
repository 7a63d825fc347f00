"""AWS services emulated as far as tests and benchmarks need them, all on loopback."""
