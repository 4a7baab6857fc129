from ratchet.clients.airflow import _told


def test_a_line_is_its_event_and_why_a_task_failed_comes_after_it() -> None:
    failed = {
        "event": "Task failed with exception",
        "error_detail": [{"exc_type": "AirflowFailException", "exc_value": "OUT OF MEMORY: 410Mi", "frames": []}],
    }

    assert _told({"event": "started"}) == ["started"]
    assert _told("a plain line") == ["a plain line"]
    assert _told(failed) == ["Task failed with exception", "AirflowFailException: OUT OF MEMORY: 410Mi"]
