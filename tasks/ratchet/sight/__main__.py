"""The exporter as a service: `python -m ratchet.sight [--host ADDRESS] [--port PORT] [--only SOURCE …]`"""

import argparse
import sys

from ratchet.clients.settings import load
from ratchet.core import log as logs
from ratchet.core.errors import EXIT_DONE, RatchetError
from ratchet.core.log import log
from ratchet.recipes.catalogue import load_recipe
from ratchet.sight.arguments import add_arguments
from ratchet.sight.server import run


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ratchet.sight", description="Serve the pipeline's metrics.")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    logs.configure()
    try:
        settings = load()
        run(settings, load_recipe(settings.recipe, settings.root), options)
    except RatchetError as error:
        log.error(str(error))
        return error.exit_code
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
