"""What the product costs and how it compares, measured on a stack of its own.

Nothing here is imported by it.
"""
