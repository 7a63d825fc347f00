"""AWS services, emulated on loopback as far as tests and benchmarks need them."""
