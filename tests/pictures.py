"""The pictures of docs/dashboards: `ratchet dashboards` over two invented weeks (tests/fakes/fortnight.py).

make pictures
"""

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from tests.browser import chromium
from tests.fakes.fortnight import DAYS
from tests.history import fortnight, remembering

from ratchet.cli.dashboards import write_all
from ratchet.cli.parser import parser
from ratchet.clients.settings import Settings

ROOT = Path(__file__).parent.parent
WIDTH = 1280


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    folder = options.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        here, now = Path(place), datetime.now(UTC).replace(second=0, microsecond=0)
        with remembering(here, fortnight(now, DAYS)) as url:
            asked = parser().parse_args(["dashboards", "--prometheus", url, "--out", str(here)])
            write_all(Settings(root=ROOT, state_dir=here), "support", asked, Console(quiet=True))
        with chromium() as browser:
            page = browser.new_page(viewport={"width": WIDTH, "height": 1})
            for file in sorted(here.glob("*.html")):
                page.goto(file.as_uri())
                page.screenshot(path=folder / f"{file.stem}.png", full_page=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
