"""The release DAG of the sample recipe, with a budget of half a euro. Airflow reads no file without these two words."""

import runpy
from pathlib import Path

from ratchet.core.budget import Budget
from ratchet.recipes import catalogue

ROOT = Path(__file__).parent.parent.parent.parent.parent
RECIPE = catalogue.load_recipe("support", ROOT).model_copy(update={"budget": Budget(per_release=0.5)})

# A DAG is known to Airflow as soon as it is built: a second one of the same name might be taken for it.
catalogue.load_recipe = lambda name, root: RECIPE
release = runpy.run_path(str(ROOT / "dags" / "release.py"))["release_support"]
release.fileloc = __file__
