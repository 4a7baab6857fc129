"""The tasks of the intake around its validate step: take the file, add the version, settle the file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from ratchet.clients import manifests
from ratchet.clients.settings import load
from ratchet.clients.world import World
from ratchet.core.datasets import DatasetVersion
from ratchet.core.drift import EMBEDDING, Distance
from ratchet.core.errors import EXIT_TERMINAL
from ratchet.intake.drop import Drop, Dropped, NotAFile, drop_of
from ratchet.intake.embedding import with_embedding
from ratchet.intake.settle import Ending, event_extra, sentence_of, settle
from ratchet.intake.take import take
from ratchet.intake.usual import usual_shifts
from ratchet.intake.versions import Added, Sender, add_version
from ratchet.orchestration.operator import sealed, told_to_airflow, work_of
from ratchet.orchestration.runtime import Work
from ratchet.validate.contract import ValidateInputs, ValidateOutputs

ADDED = "added"


def dataset_asset(dataset: str) -> Asset:
    """What the intake emits an event of, and what a release may wait for."""
    uri = f"ratchet://datasets/{dataset}"
    return Asset(name=uri, uri=uri)


class TakeUpload(BaseOperator):
    """The dropped file that the run's `file` names comes into the store.

    Puts out what validate asks, and the file's stamp, by which it is known again.
    """

    def __init__(self, *, line: str, dataset: str, base: str, **kwargs: Any) -> None:
        super().__init__(multiple_outputs=True, **kwargs)
        self.line = line
        self.dataset = dataset
        self.base = base

    @told_to_airflow()
    def execute(self, context: Any) -> dict[str, Any]:
        params, world = context["params"], _world()
        drop = drop_of(world, self.line)
        dropped = drop.find(params["file"])
        versions = () if params["replace"] else world.datasets(self.dataset).records()
        with _refused_if_no_file(world, drop, dropped), drop.opened(dropped) as source:
            upload = take(world, source, dropped.name)
        base = world.base(self.base)
        return {
            "upload": upload.model_dump(mode="json"),
            "file_name": dropped.name,
            "stamp": dropped.stamp,
            "previous": versions[-1].rows.model_dump(mode="json") if versions else None,
            "usual_shifts": usual_shifts(world.store, versions),
            "text_column": params["text_column"],
            "label_column": params["label_column"],
            "base": base.model_dump(mode="json") if base else None,
        }


class AddVersion(BaseOperator):
    """The dataset's next version; its event is emitted once. Skipped, and no event, for what is in it already."""

    template_fields: Sequence[str] = ("inputs",)

    def __init__(self, *, dataset: str, inputs: dict[str, Any], **kwargs: Any) -> None:
        self.asset = dataset_asset(dataset)
        super().__init__(outlets=[self.asset], **kwargs)
        self.dataset = dataset
        self.inputs = sealed(inputs)

    @told_to_airflow()
    def execute(self, context: Any) -> None:
        world = _world()
        inputs = ValidateInputs.model_validate(self.inputs)
        checked = outputs_of(world, work_of("validate", self.inputs, context, world.settings))
        if checked is None:
            raise AirflowFailException("validate left no manifest, although it is done: clear validate")
        checked = with_drift(world, checked, context)
        added = add_version(world, self.dataset, inputs, checked, sender_of(context))
        added = of_this_run(added, inputs, context["dag_run"].start_date)
        context["ti"].xcom_push(key=ADDED, value=as_xcom(added))
        if not added.is_new:
            raise AirflowSkipException(sentence_of(added, inputs.file_name))
        self.log.info(sentence_of(added, inputs.file_name))
        context["outlet_events"][self.asset].extra = event_extra(added)


class SettleUpload(BaseOperator):
    """Whatever came of it: the file goes to accepted/ or refused/ with its receipt.

    A file about which nothing is known, because a service was away, stays where it is.
    """

    template_fields: Sequence[str] = ("inputs", "stamp")

    def __init__(self, *, line: str, inputs: dict[str, Any], stamp: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.line = line
        self.inputs = sealed(inputs)
        self.stamp = stamp

    @told_to_airflow()
    def execute(self, context: Any) -> str:
        world = _world()
        ending = self._ending(context, world)
        if ending is None:
            raise AirflowSkipException(
                f"{self.inputs['file_name']} stays in the drop folder: a service was away; clear this run to go on"
            )
        dropped = Dropped(self.inputs["file_name"], self.stamp)
        where = settle(world, drop_of(world, self.line), dropped, ending)
        self.log.info("%s: %s; see %s", ending.outcome, ending.sentence, where)
        return where

    def _ending(self, context: Any, world: World) -> Ending | None:
        work = work_of("validate", self.inputs, context, world.settings)
        if checked := outputs_of(world, work):
            if checked.status == "REFUSED":
                return Ending("refused", "; ".join(checked.refusals), checked)
            pushed = context["ti"].xcom_pull(task_ids="add", key=ADDED)
            if not pushed:
                return None
            added = from_xcom(pushed)
            told = with_drift(world, checked, context)
            return Ending("accepted", sentence_of(added, self.inputs["file_name"]), told, added)
        record = manifests.newest_error(world.store, "validate", work.key, since=context["dag_run"].start_date)
        if record and record.exit_code == EXIT_TERMINAL and record.traceback is None:
            return Ending("refused", record.message)
        return None


def of_this_run(added: Added, inputs: ValidateInputs, began: datetime) -> Added:
    """An attempt that was killed after it made the version emitted no event: the next one does it."""
    is_own = added.version.uploads[-1] == inputs.upload and added.version.at >= began
    return Added(added.version, added.is_new or is_own)


def outputs_of(world: World, work: Work) -> ValidateOutputs | None:
    """From the manifest, which both runtimes leave."""
    manifest = manifests.find(world.store, work.step.name, work.key)
    return ValidateOutputs.model_validate(manifest.outputs) if manifest else None


def with_drift(world: World, checked: ValidateOutputs, context: Any) -> ValidateOutputs:
    """With what the step before found, unless it was skipped or failed."""
    found = context["ti"].xcom_pull(task_ids="drift", key=EMBEDDING)
    return with_embedding(world.store, checked, Distance.model_validate(found) if found else None)


def sender_of(context: Any) -> Sender:
    """Airflow authenticated whoever asked for the run; `by` is what they say of themselves."""
    params, user = context["params"], context["dag_run"].triggering_user_name or "Airflow"
    return Sender(f"{params['by']} via {user}" if params["by"] else user, params["note"], params["replace"])


def as_xcom(added: Added) -> dict[str, Any]:
    return {"version": added.version.model_dump(mode="json"), "is_new": added.is_new}


def from_xcom(pushed: dict[str, Any]) -> Added:
    return Added(DatasetVersion.model_validate(pushed["version"]), pushed["is_new"])


def _world() -> World:
    settings = load()
    return World(settings, settings.scratch)


@contextmanager
def _refused_if_no_file(world: World, drop: Drop, dropped: Dropped) -> Iterator[None]:
    """A link is moved away unread, so that it is refused once and not for ever."""
    try:
        yield
    except NotAFile as error:
        settle(world, drop, dropped, Ending("refused", str(error)))
        raise
