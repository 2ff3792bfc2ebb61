"""Attacks on a running product, each performed for real: `make attacks`."""
