"""The policy files beside the code, read when a recipe is built, so that a recipe carries their content by value."""

from dataclasses import dataclass
from pathlib import Path

from ratchet.core.errors import TerminalError
from ratchet.core.refs import FileRef, blob_uri, digest_file
from ratchet.recipes.gates import Gate, load_gate
from ratchet.recipes.recipe import Task


class MissingFile(TerminalError, LookupError):
    """A file that a recipe names is not there."""

    code = "RECIPE_INVALID"


@dataclass(frozen=True)
class PolicyFiles:
    """`root` is the project's folder: expectations/ and quality_gates/ are below it."""

    root: Path

    def suite(self, name: str) -> str:
        return self._read(self.root / "expectations" / f"{name}.json")

    def task(self, name: str, max_samples: int | None = None, with_data: bool = False, planted: bool = False) -> Task:
        """quality_gates/tasks/<name>.yaml; it asks <name>.jsonl beside it, else the recipe's canaries or test split.

        Raises MissingFile when the file is not there although the task needs it (`with_data`).
        """
        data = self.data_path(name)
        if with_data and not data.is_file():
            raise MissingFile(
                f"task {name} asks public data that is not part of this project: expected {data}; the first line of "
                f"{name}.yaml has the command that makes it (docs/gate.md, Benchmarks)"
            )
        return Task(
            name=name,
            config_yaml=self._read(self.root / "quality_gates" / "tasks" / f"{name}.yaml"),
            data=file_ref(data) if data.is_file() else None,
            max_samples=max_samples,
            planted=planted,
        )

    def gate(self, name: str, tasks: tuple[Task, ...]) -> Gate:
        return load_gate(self.root / "quality_gates" / f"{name}.toml", {task.name: task.config_yaml for task in tasks})

    def data(self, name: str) -> FileRef:
        return file_ref(self.data_path(name))

    def data_path(self, name: str) -> Path:
        return self.root / "quality_gates" / "tasks" / f"{name}.jsonl"

    def _read(self, path: Path) -> str:
        try:
            return path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MissingFile(f"a recipe names {path.relative_to(self.root)}, which cannot be read: {error}") from error


def file_ref(path: Path) -> FileRef:
    """The name that the store gives this file's bytes; whoever starts a release puts them there."""
    sha256 = digest_file(path)
    return FileRef(uri=blob_uri(sha256), sha256=sha256, bytes=path.stat().st_size)
