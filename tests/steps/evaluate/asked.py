"""A task whose answers are known: what the tiny model itself says, one question at a time."""

from ratchet.clients.world import World
from ratchet.core.evaluation import EvalReport, parse_report
from ratchet.evaluate.contract import EvaluateOutputs

NUM_ROWS, NUM_RIGHT, ANSWER_TOKENS = 40, 25, 6
QUESTIONS = [f"Give a label for: {'please ' * (number % 9)}order {number} is late" for number in range(NUM_ROWS)]
LABELS = f"""
task: labels
output_type: generate_until
doc_to_text: prompt
doc_to_target: answer
generation_kwargs: {{do_sample: false, max_gen_toks: {ANSWER_TOKENS}, until: []}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: "3"}}
"""


def report_of(world: World, outputs: EvaluateOutputs) -> EvalReport:
    return parse_report(world.store.read_bytes(outputs.report), "the report")
