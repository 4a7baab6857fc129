"""The release DAG of the sample recipe, with a budget of half a euro. Airflow reads no file without these two words."""

import runpy
from pathlib import Path

from ratchet.core.budget import Budget
from ratchet.recipes.catalogue import load_recipe

ROOT = Path(__file__).parent.parent.parent.parent.parent
RECIPE = load_recipe("support", ROOT).model_copy(update={"budget": Budget(per_release=0.5)})

release = runpy.run_path(str(ROOT / "dags" / "release.py"))["release"](RECIPE)
release.fileloc = __file__
