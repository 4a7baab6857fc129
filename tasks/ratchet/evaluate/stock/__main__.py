"""The importer's process, started by `ratchet benchmark` in the evaluate environment.

Events go to stderr; to stdout goes what was imported, as JSON, or one sentence that says why nothing was.
"""

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import sys
from pathlib import Path

from ratchet.core import log as logs
from ratchet.core.errors import EXIT_DONE, RatchetError

# Before datasets and lm-eval are imported: their bars are not for a log of lines.
os.environ.update({"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"})

from ratchet.evaluate.stock.importer import Request, import_task


def main() -> int:
    options = _parser().parse_args()
    logs.configure()
    for name in ("lm_eval", "datasets", "huggingface_hub", "fsspec"):
        logging.getLogger(name).setLevel(logging.ERROR)
    request = Request(**vars(options))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            imported = import_task(request)
    except RatchetError as error:
        sys.stdout.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(dataclasses.asdict(imported)) + "\n")
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ratchet.evaluate.stock", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--num-fewshot", type=int)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--filter", dest="filter_name")
    parser.add_argument("--max-gen-toks", type=int)
    parser.add_argument("--force", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
