"""Is the adapter on its base the candidate that was evaluated, as far as files can tell?"""

from ratchet.clients.world import World
from ratchet.core.adapter_folder import check_adapter_folder, check_beside_weights
from ratchet.core.refs import FolderRef
from ratchet.core.serving import ServedParts


def check_parts(candidate: FolderRef, parts: ServedParts, world: World) -> None:
    """Only the small folder is fetched. Raises NotServable, BadModelFolder."""
    check_beside_weights(world.store.listing(candidate), world.store.listing(parts.base))
    with world.scratch() as folder:
        check_adapter_folder(world.store.fetch_folder(parts.adapter, folder / "adapter"), parts.base.sha256)
