"""Disturb people at each step of a registration, and measure how a crowd drains."""
