import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from ratchet.sight.dashboards.model import DashboardInvalid, GridPos, load

DASHBOARDS = Path(__file__).parents[4] / "helm" / "serving" / "dashboards"


def panel(**fields: Any) -> dict[str, Any]:
    made = {"title": "T", "type": "stat", "gridPos": {"x": 0, "y": 0, "w": 8, "h": 7}, "targets": []}
    return {**made, **fields}


def written(folder: Path, *panels: dict[str, Any]) -> Path:
    (folder / "mine.json").write_text(json.dumps({"title": "D", "time": {"from": "now-2d"}, "panels": panels}))
    return folder


def test_all_dashboards_can_be_drawn() -> None:
    assert set(load(DASHBOARDS)) == {"pipeline", "serving", "data", "quality", "cost"}


@pytest.mark.parametrize("name", ["pipeline", "serving", "data", "quality", "cost"])
def test_no_panel_lies_over_another_or_outside(name: str) -> None:
    places = {panel.title: panel.gridPos for panel in load(DASHBOARDS)[name].panels}
    over = [pair for pair in combinations(places, 2) if _touch(places[pair[0]], places[pair[1]])]

    assert over == []
    assert max(at.x + at.w for at in places.values()) <= 24


def _touch(one: GridPos, two: GridPos) -> bool:
    return max(one.x, two.x) < min(one.x + one.w, two.x + two.w) and max(one.y, two.y) < min(
        one.y + one.h, two.y + two.h
    )


def test_a_dashboard_looks_as_far_back_as_it_says(tmp_path: Path) -> None:
    assert load(written(tmp_path, panel()))["mine"].hours == 48


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"type": "heatmap"}, "panels.0.type"),
        ({"fieldConfig": {"defaults": {"thresholds": {"steps": [{"color": "puce"}]}}}}, "thresholds.steps.0.color"),
        ({"fieldConfig": {"overrides": [{"matcher": {"id": "byType"}, "properties": []}]}}, "overrides.0.matcher"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_its_place(tmp_path: Path, fields: dict[str, Any], where: str) -> None:
    with pytest.raises(DashboardInvalid, match=rf"mine\.json: .*{where}"):
        load(written(tmp_path, panel(**fields)))


def test_what_grafana_has_beyond_that_is_passed_over(tmp_path: Path) -> None:
    assert load(written(tmp_path, panel(pluginVersion="11.1")))


def test_a_folder_without_dashboards_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(DashboardInvalid, match=str(tmp_path)):
        load(tmp_path)
