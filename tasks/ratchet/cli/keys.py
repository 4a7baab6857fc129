"""`ratchet keys`: who may ask the endpoint. A change holds at once, without a restart."""

from rich.console import Console

from ratchet.clients.edge_keys import FILE, add_key, given, read_keys, remove_key
from ratchet.clients.settings import Settings
from ratchet.core.errors import TerminalError
from ratchet.local.edge.keys import write_keys


def tell(settings: Settings, console: Console) -> None:
    """Raises BrokenKeys."""
    keys = read_keys(settings)
    if keys is None:
        _say(console, "there are no keys: whoever reaches the endpoint may ask; `ratchet keys add NAME` ends that")
        return
    for name in given(keys):
        _say(console, name)
    if not given(keys):
        _say(console, _nobody(settings))


def add(settings: Settings, name: str, console: Console) -> None:
    """The key is all that goes to stdout. Raises BadKeyName, BrokenKeys."""
    _check_here(settings)
    key = add_key(settings, name)
    write_keys(settings)
    aside = Console(stderr=True, highlight=False)
    _say(aside, f"the key of {name}, told once; it is kept in {settings.secrets / FILE}. The edge asks for keys now")
    _say(console, key)


def remove(settings: Settings, name: str, console: Console) -> None:
    """Raises BadKeyName, BrokenKeys."""
    _check_here(settings)
    left = remove_key(settings, name)
    write_keys(settings)
    _say(console, f"the key of {name} is refused from now on" + ("" if given(left) else f"; {_nobody(settings)}"))


def _nobody(settings: Settings) -> str:
    return (
        f"nobody has a key, so nobody may ask; to let everybody in, delete {settings.secrets / FILE} "
        "and run `ratchet up`"
    )


def _check_here(settings: Settings) -> None:
    if settings.runtime == "kubernetes":
        raise TerminalError("on a cluster the keys are in a Secret of the serving chart's edge: docs/cluster.md")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
