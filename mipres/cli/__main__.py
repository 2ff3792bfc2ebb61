"""`python -m mipres.cli`."""

from mipres.cli.commands import run

if __name__ == "__main__":
    run()
