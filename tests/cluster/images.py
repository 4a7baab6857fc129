"""The images that only the cluster tests need: `python -m tests.cluster.images [--builder COMMAND] [--prefix NAME]`."""

import argparse
import importlib.util
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def main() -> None:
    spec = importlib.util.spec_from_file_location("build", ROOT / "containers" / "build.py")
    assert spec
    assert spec.loader
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builder")
    parser.add_argument("--prefix", default="ratchet")
    options = parser.parse_args()
    builder = options.builder or build.builder_here()
    build.run(build.command(builder, HERE / "store", f"{options.prefix}/test-store:1", {}))
    for lie in ("exit-0", "exit-1"):
        build.run(build.command(builder, HERE / "faulty" / lie, f"{options.prefix}/test-{lie}:1", {}))


if __name__ == "__main__":
    main()
