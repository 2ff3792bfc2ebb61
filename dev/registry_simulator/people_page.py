"""Write docs/simulated-people.md from the seed.

`python -m dev.registry_simulator.people_page`.
"""

from pathlib import Path

from dev.registry_simulator.seed import USER_TYPE_LABELS, seed_rows
from mipres.arguments import take_none

PAGE = Path(__file__).parents[2] / "docs" / "simulated-people.md"
_HEADINGS = ("Documento", "Tipo de usuario", "Datos del formulario", "Qué muestra")
_INTRODUCTION = """\
# Simulated people

The registry simulator starts with these people. Each row is one form to fill in and what the product shows. All
people are invented, and every mail address is in a reserved domain.

Dates move with the calendar: *termina hoy* (ends today) is true every day. `dev/registry_simulator/seed.toml` holds
the people; `python -m dev.registry_simulator.people_page` writes this page from it. To add a person while the
simulator runs, see [registries](registries.md#control-the-simulator).

In production a client that sends more than ten forms in an hour, or five in a day for one document, gets the answer
by mail only. In development the limits are ten times as wide; `MIPRES_RATE_LIMITS=on make run` uses the real ones.

"""


def table() -> str:
    """Return every form to try, as a Markdown table."""
    rows = [_HEADINGS, ("---",) * len(_HEADINGS)]
    rows += [
        (row.document, USER_TYPE_LABELS[row.user_type], row.form_text, row.purpose) for row in seed_rows()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def page() -> str:
    """Return the whole page."""
    return f"{_INTRODUCTION}{table()}\n"


if __name__ == "__main__":
    take_none("python -m dev.registry_simulator.people_page", __doc__)
    PAGE.write_text(page(), encoding="utf-8")
