"""quality: is what production answers still good? Guards on users' texts, truth that came later, business figures."""

from pydantic import NonNegativeInt

from ratchet.core.classifier import Classifier
from ratchet.core.contract import Contract, Name
from ratchet.core.quality import Kpi


class QualityInputs(Contract):
    """`task` names the test split's task in the release's own evaluation report. `toxicity`: who says what is harmful;
    nobody is asked, unless named. KPIs are asked of the Prometheus of ratchet.toml.
    """

    contract_version: int = 1
    line: Name
    task: Name
    toxicity: Classifier | None
    kpis: tuple[Kpi, ...]


class QualityOutputs(Contract):
    """Of the core.quality.Quality that was recorded, the `seq`-th of its line. `worse` names what is not as it was."""

    contract_version: int = 1
    seq: NonNegativeInt
    release_id: str
    num_texts: NonNegativeInt
    worse: tuple[str, ...]
