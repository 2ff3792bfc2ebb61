"""A mixed day at a steady load, and whether anything grows while it lasts."""
