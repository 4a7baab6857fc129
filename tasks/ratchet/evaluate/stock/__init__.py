"""lm-eval's stock tasks, imported once: their rows and their settings become a task file of ours and its JSON lines.

    python -m ratchet.evaluate.stock mmlu --num-fewshot 5 --into quality_gates/tasks

It alone reaches the hub, and runs the code of lm-eval's own tasks. What it writes runs none and is asked offline, of
every model alike.
"""
