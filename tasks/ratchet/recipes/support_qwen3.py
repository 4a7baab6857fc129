"""Support tickets on a real base, Qwen3-4B, with one GPU per training and per engine. docs/cluster.md sizes it."""

from ratchet.convert.contract import ConvertSettings
from ratchet.core.serving import ServingSettings
from ratchet.finetune.contract import QloraSettings
from ratchet.promote.contract import CanarySettings
from ratchet.recipes.files import PolicyFiles
from ratchet.recipes.recipe import Recipe
from ratchet.recipes.resources import PodResources, Toleration
from ratchet.stage.contract import StageSettings
from ratchet.validate.contract import DataRules

ON_GPU = {
    "gpus": 1,
    "node_selector": {"nvidia.com/gpu.present": "true"},
    "tolerations": (Toleration(key="nvidia.com/gpu", effect="NoSchedule"),),
    "queue": "training",
}


def recipe(files: PolicyFiles) -> Recipe:
    tasks = (
        files.task("intent", max_samples=2000),
        files.task("gsm8k", with_data=True),
        files.task("arc_challenge", with_data=True),
        files.task("insults"),
        files.task("refusals"),
        files.task("grounded"),
        files.task("bias_pairs"),
    )
    gate = files.gate("support_qwen3", tasks)
    return Recipe(
        line="support_qwen3",
        owner="ml-engineering",
        description="Labels a support ticket with its intent; Qwen3-4B.",
        dataset="support",
        base="qwen3-4b",
        prompt="Give a label for: {text}",
        rules=DataRules(suite_json=files.suite("support")),
        # Made-up sums are the tiny base's skill: a real one is guarded by its gate.
        replay_share=0.0,
        replay_exclude=files.data("arithmetic"),
        max_seq_len_tokens=1024,
        # QLoRA's own values for this size: Dettmers et al. 2023, table 9; alpha = r / 4 there.
        method=QloraSettings(
            r=64,
            lora_alpha=16,
            lora_dropout=0.05,
            learning_rate=2e-4,
            batch_size=64,
            micro_batch_size=8,
            gradient_checkpointing=True,
            num_train_epochs=2,
            warmup_steps=30,
            max_seq_len_tokens=1024,
            save_steps=50,
        ),
        tasks=tasks,
        gate=gate.policy,
        conversion=ConvertSettings(**gate.parity),
        stage=StageSettings(**gate.latency),
        # Two hours of a growing share. Probes: a failure rate of 1 % shows in 700 of them with a chance of 99.9 %.
        canary=CanarySettings(
            shadow=True, steps=(1, 5, 25, 50), step_seconds=1440.0, probe_interval_seconds=2.0, min_requests=700
        ),
        eval_engine="vllm",
        eval_batch_size=256,
        conversion_blocks=False,  # a phone's bundle of a 4B model is welcome, not required
        serving=ServingSettings(replicas=2, dtype="bfloat16", max_model_len=4096, max_num_seqs=128),
        pods={
            "prepare": PodResources(cpu=2, memory_gib=4),
            "finetune": PodResources(cpu=8, memory_gib=48, scratch_gib=80, grace_seconds=300, **ON_GPU),
            "evaluate": PodResources(cpu=8, memory_gib=32, scratch_gib=40, **ON_GPU),
            "convert": PodResources(cpu=8, memory_gib=64, scratch_gib=60),
            "drift": PodResources(cpu=4, memory_gib=24, scratch_gib=40, **ON_GPU),
        },
        approvers=("release-manager",),
    )
