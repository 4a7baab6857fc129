"""Many at once."""

import threading
from collections.abc import Callable
from typing import Any


def at_once(num_threads: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work(0)`, `work(1)`, … returned or raised, all started together."""
    barrier = threading.Barrier(num_threads)
    outcomes: list[Any] = [None] * num_threads

    def one(number: int) -> None:
        barrier.wait()
        try:
            outcomes[number] = work(number)
        except Exception as error:
            outcomes[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(num_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
