"""Stories are the seed's, no two people meet, and what a person has grows as it would."""

import ast
from collections import Counter
from pathlib import Path

import dev.simulate
from dev.simulate.options import STORIES
from dev.simulate.people import person, rehired, rivals, stranger
from dev.simulate.stories import tell


def test_a_seed_tells_the_same_story_again_and_another_seed_another() -> None:
    assert tell(3, person(3, 5), STORIES) == tell(3, person(3, 5), STORIES)
    assert tell(3, person(3, 5), STORIES) != tell(4, person(4, 5), STORIES)


def test_a_story_left_out_has_happened_all_the_same() -> None:
    whole = tell(3, person(3, 5), STORIES)
    leaving = tell(3, person(3, 5), ("leaver",))
    assert leaving == [step for step in whole if step.story == "leaver"]
    assert leaving[0].request["user"]["provisionedApps"]


def test_no_unique_value_comes_twice_across_people_and_seeds() -> None:
    records = [person(seed, n) for seed in (0, 1, 199_999) for n in (0, 1, 2, 8_999)]
    records += [rehired(seed, person(seed, n)) for seed in (0, 1, 199_999) for n in (0, 1, 2, 8_999)]
    records += [rivals(seed)[0] for seed in (0, 1, 199_999)] + [stranger(0, "a"), stranger(1, "b")]
    for name in ("login", "email", "mobile", "platform_id", "employee_id"):
        values = [getattr(record, name) for record in records]
        assert len(set(values)) == len(values), name
    assert all(len(record.mobile) == 10 and record.mobile[0] in "6789" for record in records)


def test_a_joiner_gets_five_applications_each_with_its_policy_maps() -> None:
    steps = tell(3, person(3, 5), ("joiner",))
    hooks = [step.hook for step in steps]
    assert hooks[:3] == ["validateUser", "preCreateUser", "postCreateUser"]
    counts = Counter(hooks)
    assert counts["preProvision"] == counts["postProvision"] == 5
    assert 10 <= counts["policyMap"] <= 15
    assert "id" not in steps[0].request["user"]
    assert "id" in steps[2].request["user"]
    assert [
        len(step.request["user"]["provisionedApps"]) for step in steps if step.hook == "postProvision"
    ] == [*range(1, 6)]
    assert {step.path for n in (4, 5) for step in tell(3, person(3, n), ("joiner",))} >= {
        "policyMap",
        "policymap",
    }


def test_a_mover_changes_department_and_a_leaver_status() -> None:
    mover = tell(3, person(3, 5), ("mover",))
    assert [step.hook for step in mover] == [
        "validateUpdateUser",
        "preUpdateUser",
        "postUpdateUser",
        "changePassword",
    ]
    assert mover[0].request["user"]["department"] == person(3, 5).next_department != person(3, 5).department
    leaver = tell(3, person(3, 5), ("leaver",))
    assert [s.request["user"]["status"] for s in leaver if s.hook == "postUpdateUser"] == [
        "INACTIVE",
        "DELETE",
    ]
    assert [s.request["action"] for s in leaver if s.hook == "postProvision"] == ["Application Delete"] * 5


def test_it_imports_nothing_of_ours() -> None:
    """What knows our code agrees with our mistakes."""
    root = Path(dev.simulate.__file__).parents[2]
    ours = {path.stem for path in root.iterdir() if path.suffix == ".py" or path.is_dir()} - {"dev"}
    for file in Path(dev.simulate.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.partition(".")[0] not in ours, f"{file.name} imports {name}"
                assert not name.startswith("dev") or name.startswith("dev.simulate"), f"{file.name}: {name}"
