"""The picture of the house in docs/figures, drawn from the imports.

python -m scripts.architecture            draw docs/figures/architecture.svg
python -m scripts.architecture --check    exit 1 if the picture on disk shows another house
"""

from __future__ import annotations

import sys

from scripts.architecture_imports import FLOOR, FLOORS, ROOT, circles, imports, sizes, thinned, upward
from scripts.architecture_svg import draw, shape

PICTURE = ROOT / "docs" / "figures" / "architecture.svg"


def main(arguments: list[str]) -> int:
    """Draw the picture, or compare the one on disk with the imports."""
    found = imports(ROOT)
    for fault in (*upward(found), *(f"circle: {circle}" for circle in circles(found))):
        print(f"architecture: {fault}", file=sys.stderr)
    picture = draw(found, sizes(ROOT))
    if arguments == ["--check"]:
        same = PICTURE.exists() and shape(PICTURE.read_text()) == shape(picture)
        if not same:
            print("architecture: the picture shows another house: run 'make architecture'", file=sys.stderr)
        return 0 if same else 1
    PICTURE.write_text(picture)
    where, arrows = PICTURE.relative_to(ROOT), len(thinned(found))
    print(f"{where}: {len(FLOOR)} rooms on {len(FLOORS)} floors, {arrows} arrows")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
