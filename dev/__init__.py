"""Development servers and the launcher. Nothing here runs in production."""
