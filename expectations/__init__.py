"""The expectation suites, as data, and the custom expectations they use."""
