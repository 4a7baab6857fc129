"""Small data of the same shape as the public ones, in folders named like them: what `datasets` takes for the hub's."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]
_NOUNS = ("parcel", "order", "card", "refund", "letter", "ticket", "invoice", "account")


def write_hellaswag(hub: Path) -> None:
    rows = [
        {
            "ind": number,
            "activity_label": "Post",
            "ctx_a": f"A man holds {_noun(number)} {number}.",
            "ctx_b": "he [title] then",
            "ctx": "",
            "endings": [f"sends the {_noun(number + end)} {end * 'very '}far." for end in range(4)],
            "label": str(number % 4),
        }
        for number in range(24)
    ]
    _write(hub / "Rowan/hellaswag", {"train": rows[:8], "validation": rows[8:]})


def write_gsm8k(hub: Path) -> None:
    rows = [
        {
            "question": f"Mia has {number} {_noun(number)}s and gets {number + 3} more. How many?",
            "answer": f"{number} and {number + 3} are <<{1000 * number + 3}>>.\n#### {1000 * number + 3:,}",
        }
        for number in range(30)
    ]
    _write(hub / "openai/gsm8k", {"train": rows[:14], "test": rows[14:]}, "main")


def write_arc(hub: Path, name: str = "ARC-Challenge") -> None:
    rows = [
        {
            "id": f"q{number}",
            "question": f"Which {_noun(number)} is heavier than {number}?",
            "choices": {
                "text": [f"{_noun(number)} {end}" for end in range(3 + number % 2)],
                "label": list("ABCD")[: 3 + number % 2],
            },
            "answerKey": "ABC"[number % 3],
        }
        for number in range(12)
    ]
    _write(hub / "allenai/ai2_arc", {"train": rows[:2], "validation": rows[2:4], "test": rows[4:]}, name)


def write_mmlu(hub: Path, subjects: Sequence[str]) -> None:
    for subject in subjects:
        rows = [
            {
                "question": f" What of {subject} is {_noun(number)} {number}? ",
                "subject": subject,
                "choices": [f"{_noun(number + end)} of {subject}" for end in range(4)],
                "answer": (number * 7) % 4,
            }
            for number in range(9)
        ]
        _write(hub / "cais/mmlu", {"test": rows[5:], "dev": rows[:5]}, subject)


def write_truthful_qa(hub: Path) -> None:
    rows = [
        {
            "question": f"What happens to a {_noun(number)} at {number} o'clock?",
            "mc1_targets": {"choices": ["Nothing", "It sings"], "labels": [1, 0]},
            "mc2_targets": {
                "choices": [
                    f"{word} {_noun(number)}" for word in ("No", "A", "The", "Every", "Some")[: 3 + number % 3]
                ],
                "labels": [1, number % 2, 0, 0, 0][: 3 + number % 3],
            },
        }
        for number in range(10)
    ]
    _write(hub / "truthfulqa/truthful_qa", {"validation": rows}, "multiple_choice")


def write_winogrande(hub: Path) -> None:
    rows = [
        {
            "sentence": f"The {_noun(number)} did not fit into box {number} because _ was too large.",
            "option1": f"the {_noun(number)}",
            "option2": "the box",
            "answer": str(1 + number % 2),
        }
        for number in range(10)
    ]
    _write(hub / "allenai/winogrande", {"train": rows[:4], "validation": rows[4:]}, "winogrande_xl")


def write_lambada(hub: Path) -> None:
    rows = [{"text": f"The {_noun(number)} is late, so please send another {_noun(number)}"} for number in range(8)]
    _write(hub / "EleutherAI/lambada_openai", {"test": rows})


def write_pile(hub: Path) -> None:
    rows = [
        {"text": f"Where is my {_noun(number)}?\nIt is late. {number * 'very '}", "meta": {}} for number in range(8)
    ]
    _write(hub / "NeelNanda/pile-10k", {"train": rows})


def _noun(number: int) -> str:
    return _NOUNS[number % len(_NOUNS)]


def _write(folder: Path, splits: Mapping[str, Rows], name: str = "default") -> None:
    """JSON lines by split, and the card that tells `datasets` which files make up the part `name`."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        (folder / f"{name}-{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    names = sorted({path.name.rpartition("-")[0] for path in folder.glob("*.jsonl")})
    configs = [
        {
            "config_name": each,
            "data_files": [
                {"split": path.stem.rpartition("-")[2], "path": path.name}
                for path in sorted(folder.glob(f"{each}-*.jsonl"))
            ],
        }
        for each in names
    ]
    (folder / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n", "utf-8")
