"""`ratchet keys`: who may ask the endpoint. A change needs no restart."""

from rich.console import Console

from ratchet.clients.cluster import object_name
from ratchet.clients.edge_keys import FILE, add_key, given, read_keys, remove_key
from ratchet.clients.settings import Settings
from ratchet.local.edge import write_own_keys


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
    key = add_key(settings, name)
    aside = Console(stderr=True, highlight=False)
    _say(aside, f"the key of {name}, told once; it is kept in {settings.secrets / FILE}. {_tell_edge(settings)}")
    _say(console, key)


def remove(settings: Settings, name: str, console: Console) -> None:
    """Raises BadKeyName, BrokenKeys."""
    left = remove_key(settings, name)
    _say(console, f"{name} has no key any more. {_tell_edge(settings)}")
    if not given(left):
        _say(console, _nobody(settings))


def _nobody(settings: Settings) -> str:
    return (
        f"nobody has a key, so nobody may ask; to let everybody in, delete {settings.secrets / FILE} "
        "and run `ratchet up`"
    )


def _tell_edge(settings: Settings) -> str:
    """What holds from now on, or what is left to do."""
    if settings.runtime == "process":
        write_own_keys(settings)
        return "It holds from now on; who has no key is refused"
    secret = f"{object_name(settings.recipe)}-edge-keys --from-file={settings.secrets / FILE}"
    return (
        f"It holds once the edge's Secret has that file:\nkubectl -n {settings.kubernetes.namespace} create secret "
        f"generic {secret} --dry-run=client -o yaml | kubectl apply -f -"
    )


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, soft_wrap=True)
