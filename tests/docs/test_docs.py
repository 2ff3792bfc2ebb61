"""Check that what the documentation says about the repository is true."""

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import gettempdir

import pytest

from dev.registry_simulator import people_page
from mipres.domain.outcomes import Refusal
from mipres.domain.stages import Stage
from mipres.settings.model import Settings
from mipres.settings.names import variable

ROOT = Path(__file__).parents[2]
SKIPPED = frozenset({".venv", ".data", "node_modules"})
PAGES = sorted(
    page
    for pattern in ("*.md", "*/**/*.md")
    for page in ROOT.glob(pattern)
    if not SKIPPED.intersection(page.relative_to(ROOT).parts)
    and not page.relative_to(ROOT).parts[0].startswith(".")
)
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
DECISION_HEADINGS = ["Context", "Decision", "Consequences", "Alternatives", "Check"]
LARGEST_IMAGE = 250_000
LARGEST_README = 6_144
# Addresses that the product itself uses; any other host has to be argued for here.
KNOWN_HOSTS = frozenset(
    {"localhost", "127.0.0.1", "www.miseguridadsocial.gov.co", "sispro.gov.co", "datos.gov.co", "e•••.test"}
    # The examples of docs/applications.md.
    | {"registro.example", "app.example"}
)
# Where this machine keeps its things: no reader's machine need have them.
MACHINE_PLACES = {str(place) for place in (ROOT, ROOT.parent, Path.home(), Path(gettempdir()))} - {"/"}
FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def section(page: Path, heading: str) -> str:
    """The text below a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text_of(page), re.MULTILINE | re.DOTALL)
    assert found, f"{named(page)} has no section {heading!r}"
    return found[1]


def code_spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def paths_in(text: str) -> Iterator[str]:
    """Yield the code spans that begin with a folder of this repository."""
    folders = {entry.name for entry in ROOT.iterdir() if entry.is_dir()} - {".data", ".venv"}
    for span in code_spans(text):
        if re.fullmatch(r"[\w./-]+", span) and "/" in span and span.split("/")[0] in folders:
            yield span


def anchors(page: Path) -> set[str]:
    """Fragments of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text_of(page)))


def is_broken(page: Path, link: str) -> bool:
    if re.match(r"https?://|mailto:", link):
        return False
    path, _, fragment = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return not target.exists() or bool(fragment and fragment not in anchors(target))


def test_the_pages_are_there() -> None:
    wanted = {"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/writing.md"}
    assert wanted <= {named(page) for page in PAGES}


def test_the_readme_leads_to_every_page() -> None:
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert pages <= {link.rpartition("/")[2].partition("#")[0] for link in links(ROOT / "README.md")}


def test_the_readme_can_be_read_at_once() -> None:
    assert (ROOT / "README.md").stat().st_size <= LARGEST_README


def test_the_page_of_simulated_people_is_the_one_that_the_seed_gives() -> None:
    assert text_of(people_page.PAGE) == people_page.page(), "run python -m dev.registry_simulator.people_page"


def test_every_refusal_is_on_the_page_of_the_json_api() -> None:
    codes = re.findall(r"^\| `(\w+)` \|", section(ROOT / "docs" / "api.md", "Codes of a 422"), re.MULTILINE)
    assert codes == ["validation_error", *Refusal]


def test_everything_is_where_the_readme_says() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", section(ROOT / "README.md", "Where everything is"), re.MULTILINE)
    assert len(rows) > 10
    assert [row for row in rows if not (ROOT / row).exists()] == []


def test_every_folder_of_the_product_is_in_the_readme() -> None:
    rows = " ".join(code_spans(section(ROOT / "README.md", "Where everything is")))
    folders = [path.parent.name for path in ROOT.glob("*/__init__.py")]
    assert folders
    assert [folder for folder in folders if f"{folder}/" not in rows] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_that_is_named_exists(page: Path) -> None:
    assert [path for path in paths_in(text_of(page)) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_target_of_make_and_every_module_that_is_run_exists(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    asked = set(re.findall(r"(?:`|^|\w=\w+ )make ([a-z-]+)", text_of(page), re.MULTILINE))
    assert asked - targets == set()
    modules = set(re.findall(r"\bpython -m ([a-z_.]+[a-z_])", text_of(page)))
    assert [name for name in modules if not find_spec(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page) if is_broken(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_names_a_foreign_host_or_a_path_of_one_machine(page: Path) -> None:
    hosts = set(re.findall(r"\bhttps?://([^\s/:)>\"'`\]]+)", text_of(page)))
    # A bare host name counts too, in the domains under which packages are handed out.
    hosts |= set(re.findall(r"\b[\w-]+(?:\.[\w-]+)*\.(?:org|io|com|net)\b", text_of(page)))
    assert hosts - KNOWN_HOSTS == set()
    assert machine_paths(text_of(page)) == []


def machine_paths(text: str) -> list[str]:
    places = "|".join(re.escape(place) for place in MACHINE_PLACES)
    return re.findall(rf"(?<![\w.}}/-])(?:{places})(?![\w-])", text)


@pytest.mark.parametrize("place", sorted(MACHINE_PLACES))
def test_a_path_of_this_machine_is_recognised(place: str) -> None:
    assert len(machine_paths(f"see `{place}/notes` and ({place}).")) == 2
    assert machine_paths(f"mipres{place}/x {{URL}}{place}") == []


def test_every_setting_is_documented() -> None:
    table = section(ROOT / "docs" / "deployment.md", "Settings")
    documented = set(re.findall(r"^\| `(MIPRES_\w+)` \|", table, re.MULTILINE))
    assert {variable(field) for field in Settings.model_fields} <= documented


@pytest.mark.parametrize(
    "field", ["api", "temporal_ui", "mail_ui", "registry", "temporal", "postgres", "smtp"]
)
def test_the_readme_names_the_default_ports(field: str) -> None:
    port = Settings.model_fields[f"{field}_port"].default
    assert re.search(rf"\b{port}\b", section(ROOT / "README.md", "Two commands"))


def test_the_diagram_of_a_registration_has_every_stage_and_no_other() -> None:
    diagram = section(ROOT / "docs" / "architecture.md", "Stages of a registration").split("```")[1]
    states = {
        state for arrow in re.findall(r"^ *(\S+) --> ([\w*\[\]]+)", diagram, re.MULTILINE) for state in arrow
    }
    assert states - {"[*]"} == {stage.value for stage in Stage}


@pytest.mark.parametrize("name", ["README.md", "docs/api.md", "docs/registries.md"])
def test_the_requests_of_the_pages_are_json(name: str) -> None:
    bodies = re.findall(r"(?:-d|--json) '([{\[].*?[}\]])'", text_of(ROOT / name), re.DOTALL)
    assert bodies
    for body in bodies:
        json.loads(body)


@pytest.mark.parametrize("image", sorted((ROOT / "docs" / "images").glob("*")), ids=named)
def test_images_are_small_and_shown(image: Path) -> None:
    assert image.stat().st_size <= LARGEST_IMAGE
    assert any(link.endswith(f"images/{image.name}") for page in PAGES for link in links(page))


@pytest.mark.parametrize("page", DECISIONS, ids=named)
def test_a_decision_has_its_five_headings_and_names_its_check(page: Path) -> None:
    assert re.findall(r"^## (.+)$", text_of(page), re.MULTILINE) == DECISION_HEADINGS
    assert all(section(page, heading).strip() for heading in DECISION_HEADINGS)
    assert code_spans(section(page, "Check"))


def test_decisions_are_numbered_and_listed() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(DECISIONS) + 1))
    assert all(text_of(page).startswith(f"# {int(page.name[:4])}. ") for page in DECISIONS)
    assert links(ROOT / "docs" / "decisions" / "README.md") == [page.name for page in DECISIONS]


def test_every_name_of_the_glossary_is_in_the_code() -> None:
    rows = re.findall(r"^\|[^|]+\| `([\w.]+)` \|", text_of(ROOT / "docs" / "glossary.md"), re.MULTILINE)
    assert len(rows) > 30
    folders = ("mipres", "activities", "workflows", "api")
    code = "\n".join(text_of(path) for folder in folders for path in (ROOT / folder).rglob("*.py"))
    words = set(re.findall(r"\w+", code))
    assert [row for row in rows if not words.issuperset(row.split("."))] == []


def test_the_rule_book_lists_exactly_the_patches_of_the_code() -> None:
    sources = [path.read_text() for path in (ROOT / "workflows").glob("*.py")]
    used = {
        name for text in sources for name in re.findall(r'(?:deprecate_patch|patched)\("([^"]+)"\)', text)
    }
    page = (ROOT / "docs" / "versioning-workflows.md").read_text()
    table = page[page.index("| patch | since |") :].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)) == used
