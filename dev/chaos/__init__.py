"""Kill each part of the product at each step, and measure how a crowd drains."""
