"""The rules of the registration module. Pure: no I/O, no third-party imports."""
