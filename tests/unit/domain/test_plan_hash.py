from typing import Any

import pytest

from ci_lib.domain.plan_hash import PARTS, differing, is_plan_hash, plan_hash

GIVEN: dict[str, Any] = {name: f"as {name} was" for name in PARTS}


def test_a_hash_has_a_form_that_can_be_told_from_a_slip() -> None:
    found = plan_hash(GIVEN)
    assert is_plan_hash(found)
    for wrong in ("", found[:64], found[:-1], f"{found}0", found.upper(), f"{found}\n", "sha-1"):
        assert not is_plan_hash(wrong)


@pytest.mark.parametrize("part", PARTS)
def test_each_part_makes_another_hash_and_is_named_as_what_differs(part: str) -> None:
    one, other = plan_hash(GIVEN), plan_hash(GIVEN | {part: "otherwise"})
    assert one[:64] != other[:64]
    assert differing(one, other) == (part,)


def test_the_order_of_keys_is_no_difference() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert plan_hash(GIVEN | {"steps": one}) == plan_hash(dict(reversed((GIVEN | {"steps": other}).items())))
