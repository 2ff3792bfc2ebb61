"""How long a test waits for what must come."""

PATIENCE_SECONDS = 90.0
"""What has not come by then is lost; a loaded machine may take its time."""
