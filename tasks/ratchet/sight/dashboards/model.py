"""Dashboards as Grafana's JSON has them, as far as they are drawn here: its other fields are passed over."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ratchet.core.errors import TerminalError

Colour = Literal["text", "green", "orange", "red", "blue"]
_HOURS = {"h": 1, "d": 24}


class DashboardInvalid(TerminalError, ValueError):
    """A file is no dashboard, or has something that is not drawn here."""

    code = "REFUSED"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Target(_Part):
    """One query. `instant`: only its newest value is wanted."""

    refId: str
    expr: str
    legendFormat: str = ""
    instant: bool = False


class GridPos(_Part):
    """`x` and `w` in 24ths of the width."""

    x: int = Field(ge=0, lt=24)
    y: int = Field(ge=0)
    w: int = Field(gt=0, le=24)
    h: int = Field(gt=0)


class ThresholdStep(_Part):
    """From `value` on; None is from the beginning."""

    color: Colour
    value: float | None = None


class Thresholds(_Part):
    steps: tuple[ThresholdStep, ...] = ()


class MappedText(_Part):
    text: str
    color: Colour = "text"


class ValueMapping(_Part):
    """`options`: by the number, as text."""

    type: Literal["value"]
    options: Mapping[str, MappedText]


class FieldDefaults(_Part):
    unit: str = "none"
    decimals: int | None = None
    noValue: str = ""
    thresholds: Thresholds = Thresholds()
    mappings: tuple[ValueMapping, ...] = ()


class OfQuery(_Part):
    """Those that the query with this refId found."""

    id: Literal["byFrameRefID"]
    options: str


class OfName(_Part):
    """Those whose name in the legend fits a regular expression between slashes."""

    id: Literal["byRegexp"]
    options: str = Field(pattern=r"^/.+/$")


class LineStyle(_Part):
    id: Literal["custom.lineStyle"]
    value: Mapping[str, Any]


class FixedColour(_Part):
    fixedColor: Colour


class ColourOf(_Part):
    id: Literal["color"]
    value: FixedColour


class Override(_Part):
    """What is different for some of a panel's series."""

    matcher: OfQuery | OfName = Field(discriminator="id")
    properties: tuple[Annotated[LineStyle | ColourOf, Field(discriminator="id")], ...]


class FieldConfig(_Part):
    defaults: FieldDefaults = FieldDefaults()
    overrides: tuple[Override, ...] = ()


class Options(_Part):
    textMode: Literal["auto", "name", "value_and_name"] = "auto"


class Panel(_Part):
    title: str
    description: str = ""
    type: Literal["stat", "timeseries", "bargauge"]
    gridPos: GridPos
    fieldConfig: FieldConfig = FieldConfig()
    options: Options = Options()
    targets: tuple[Target, ...]

    @property
    def limits(self) -> frozenset[str]:
        """The queries whose lines are dashed: they say what others must not exceed."""
        return frozenset(
            override.matcher.options
            for override in self.fieldConfig.overrides
            for told in override.properties
            if isinstance(told, LineStyle) and told.value.get("fill") == "dash"
        )

    def colour_of(self, name: str) -> Colour | None:
        for override in self.fieldConfig.overrides:
            if isinstance(override.matcher, OfName) and re.search(override.matcher.options[1:-1], name):
                return next((told.value.fixedColor for told in override.properties if isinstance(told, ColourOf)), None)
        return None


class TimeRange(_Part):
    """`from_`: now-24h, now-14d."""

    from_: str = Field(alias="from", pattern=r"^now-\d+[hd]$")


class Dashboard(_Part):
    title: str
    time: TimeRange
    panels: tuple[Panel, ...]

    @property
    def hours(self) -> int:
        back = self.time.from_.removeprefix("now-")
        return int(back[:-1]) * _HOURS[back[-1]]


def load(folder: Path) -> dict[str, Dashboard]:
    """Every *.json of the folder, by its name. Raises DashboardInvalid."""
    found = {file.stem: _read(file) for file in sorted(folder.glob("*.json"))}
    if not found:
        raise DashboardInvalid(
            f"no dashboard (*.json) in {folder}: `root` of ratchet.toml has to be the project's folder"
        )
    return found


def _read(file: Path) -> Dashboard:
    try:
        return Dashboard.model_validate_json(file.read_bytes())
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in wrong["loc"])
        raise DashboardInvalid(
            f"{file}: {where}: {wrong['msg']}; Grafana may know it, but it is not drawn here: see {__name__}"
        ) from error
