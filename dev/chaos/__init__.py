"""Kill each part of the product at each step of a registration, and measure how a parked crowd drains."""
