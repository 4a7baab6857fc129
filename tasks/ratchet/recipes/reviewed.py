"""The rules for rows that a person has looked at one by one, as corrected answers are."""

import json

from ratchet.validate.contract import DataRules

_ANY_ROW = {
    "name": "reviewed",
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "num_accepted", "min_value": {"$PARAMETER": "min_rows"}},
            "severity": "critical",
            "meta": {"refusal": "{got} usable rows: each breaks a rule (docs/data.md)"},
        }
    ],
}


def reviewed(rules: DataRules) -> DataRules:
    """Row rules and screens look at each row as ever. What the suite expects of a batch, so many rows, so many labels,
    such shares, does not fit a handful: the whole version, with them in it, is held to it in the release.
    """
    return rules.model_copy(update={"suite_json": json.dumps(_ANY_ROW), "min_rows": 1})
