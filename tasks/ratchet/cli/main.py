"""`ratchet`: what people type. Each verb is one function; the table below is the help."""

import argparse
import os
import sys
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

from ratchet.cli.here import Here
from ratchet.cli.parser import parser
from ratchet.clients.settings import CONFIG_VARIABLE, find, load
from ratchet.core import log as logs
from ratchet.core.errors import EXIT_DONE, Cancelled, NothingToDo, RatchetError, TerminalError
from ratchet.core.failures import pointer


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    logs.configure(for_people=True)
    # A pipe or a log has no width of its own; rich would assume 80.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    verb: Callable[[Here, argparse.Namespace], int | None] = options.verb
    try:
        config = find(options.config)
        os.environ[CONFIG_VARIABLE] = str(config)
        settings = load(config)
        here = Here(settings, config, options.recipe or settings.recipe, console)
        return verb(here, options) or EXIT_DONE
    except NothingToDo as error:
        console.print(f"nothing to do: {error}", markup=False)
        return error.exit_code
    except RatchetError as error:
        errors = Console(stderr=True, highlight=False, soft_wrap=True)
        errors.print(f"[red]error:[/] {escape(str(error))}")
        if error.code != TerminalError.code:  # a wrong word needs no explanation
            errors.print(pointer(error.code), markup=False)
        return error.exit_code
    except KeyboardInterrupt:
        Console(stderr=True).print("\ninterrupted; run the same command again to go on")
        return Cancelled.exit_code


if __name__ == "__main__":
    sys.exit(main())
