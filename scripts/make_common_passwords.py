"""Make mipres/domain/common_passwords.txt.xz from zxcvbn-ts's word lists.

    python scripts/make_common_passwords.py PACKAGES

PACKAGES is a folder with the unpacked npm packages @zxcvbn-ts/language-common, -es-es and -en, each in a
folder of its name's last part (`language-common/src/passwords.json`, …).
"""

import json
import lzma
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mipres.arguments import Arguments
from mipres.domain.passwords import COMMON_PASSWORDS_FILE, LONGEST_WORD, SHORTEST_STEM, plain

LISTS = (
    ("language-common", ("passwords",)),
    ("language-es-es", ("commonWords", "wikipedia", "firstnames", "lastnames")),
    ("language-en", ("commonWords", "firstnames")),
)


def main(packages: Path) -> None:
    """Read the lists, write the file, and say how many entries it has."""
    words = {
        plain(word)
        for package, names in LISTS
        for name in names
        for word in json.loads((packages / package / "src" / f"{name}.json").read_text(encoding="utf-8"))
    }
    kept = sorted(word for word in words if SHORTEST_STEM <= len(word) <= LONGEST_WORD and word.isprintable())
    content = "\n".join(kept).encode()
    # The same words always give the same bytes.
    COMMON_PASSWORDS_FILE.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(kept)} entries, {COMMON_PASSWORDS_FILE.stat().st_size} bytes")  # noqa: T201 - a command line prints.


if __name__ == "__main__":
    parser = Arguments(prog="python scripts/make_common_passwords.py", description=__doc__)
    parser.add_argument("packages", type=Path)
    main(parser.parse_args().packages)
