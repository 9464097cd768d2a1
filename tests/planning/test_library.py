"""Every plan of the library compiles, lints clean, keeps its exact form as JSON, and runs to its end."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from server.domain.rules import Plan, all_limits
from server.domain.rules.conditions import Condition
from server.planning.compiler import Compiled, compile_source
from server.planning.lint import lint, lint_together
from server.planning.schema import json_schema
from server.planning.simulate import Simulation

LIBRARY = Path(__file__).parents[2] / "server" / "planning" / "library"
FILES = sorted(LIBRARY.glob("*.yaml"))
LAST = {"service.restored", "fault.cleared", "situation.controlled", "response.ended"}
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def compiled(request: pytest.FixtureRequest) -> Compiled:
    return compile_source(request.param.read_bytes(), request.param.name)


def test_the_name_of_the_file_says_source_and_key(compiled):
    assert compiled.file == f"{compiled.plan.source}-{compiled.plan.key}.yaml"


def test_it_lints_clean(compiled):
    assert [str(finding) for finding in lint(compiled)] == []


def test_it_keeps_its_form_as_json(compiled):
    assert Plan.from_json(compiled.plan.to_json()) == compiled.plan


def test_it_runs_to_its_end(compiled):
    """Activated, restored and ended with every decision taken and every interlock satisfied, each order goes to its team."""
    plan = compiled.plan
    simulation = Simulation(plan, START)
    for fact in ("incident.forecast", "incident.reported", "service.interrupted", "plan.warned", "plan.activated"):
        simulation.tell(fact)
    for fact in {fact for phase in plan.phases for fact in phase.starts} - LAST:
        simulation.tell(fact)
    if plan.manual:
        simulation.tell(plan.manual.since)
    simulation.advance(START + timedelta(hours=30))
    for scale in plan.scales:
        for level in scale.levels:
            simulation.tell(f"level.{scale.key}.{level.key}")
    for interlock in plan.interlocks:
        _satisfy(simulation, interlock.needs)
    for fact in ("repair.started", "fallback.decided", "evacuation.decided", "people.hurt"):
        simulation.tell(fact)
    for order in plan.orders:
        if order.when:
            _satisfy(simulation, order.when)
    if plan.review and plan.review.starts not in LAST:
        simulation.tell(plan.review.starts)
    for fact in ("situation.controlled", "fault.cleared", "service.restored", "response.ended"):
        simulation.tell(fact)
    simulation.advance(START + timedelta(days=10))
    told = {(one.rule, one.to) for one in simulation.happenings if one.kind == "order"}
    assert {key for key, _ in told} == {order.key for order in plan.orders}
    assert all(to == (plan.order(key).team,) for key, to in told)
    assert "response.ended" in simulation.happened
    started = [one.rule for one in simulation.happenings if one.kind == "limit_started"]
    assert {*started} <= {limit.key for limit in all_limits(plan)}
    if plan.review:
        assert "review" in started


def _satisfy(simulation: Simulation, condition: Condition) -> None:
    """Let each fact of a condition happen and give each measure a value on the side of its bound that the condition asks for."""
    for leaf in condition.leaves():
        if leaf.op in ("fact", "flag"):
            simulation.tell(leaf.name)
        elif leaf.value is not None:
            step = {"<": -1, ">": 1}.get(leaf.op, 0)
            simulation.tell(leaf.name, leaf.value + step if isinstance(leaf.value, int | float) else leaf.value)


def test_an_editor_with_the_schema_finds_nothing_wrong():
    schema = jsonschema_rs.validator_for(json_schema())
    wrong = {
        path.name: [str(one) for one in schema.iter_errors(yaml.load(path.read_bytes(), AsEditorsRead))]
        for path in FILES
    }
    assert {name: found for name, found in wrong.items() if found} == {}


class AsEditorsRead(yaml.CSafeLoader):
    """YAML 1.2: `on` and `no` are words, and only plain numbers are numbers."""


AsEditorsRead.yaml_implicit_resolvers = {}
AsEditorsRead.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
AsEditorsRead.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?\d+$"), list("-0123456789"))
AsEditorsRead.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^-?\d+\.\d+$"), list("-0123456789"))


def test_no_plan_changes_without_a_new_version():
    """An installation that has a version keeps it: other text under the same number would be refused at its next import."""
    lines = [line.split() for line in (LIBRARY / "versions.txt").read_text(encoding="utf-8").splitlines()]
    listed = {(key, int(version)): digest for key, version, digest in lines}
    assert len(listed) == len(lines), "a version is listed twice"
    missing = []
    for path in FILES:
        plan = compile_source(path.read_bytes(), path.name).plan
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        newest = max((version for key, version in listed if key == plan.key), default=0)
        if listed.get((plan.key, plan.version)) != digest or plan.version != newest:
            missing.append(f"{plan.key} {max(newest + 1, plan.version)} {digest}")
    assert missing == [], "raise `version` in these files and add their lines to versions.txt"


def test_keys_are_unique():
    keys = [compile_source(path.read_bytes(), path.name).plan.key for path in FILES]
    assert len(keys) == len(set(keys))


def test_every_written_plan_has_its_own_number():
    sources = [compile_source(path.read_bytes(), path.name).plan.source for path in FILES]
    assert len(sources) == len(set(sources))


def test_variants_name_a_plan_of_the_library():
    plans = [compile_source(path.read_bytes(), path.name).plan for path in FILES]
    assert {plan.variant_of for plan in plans} - {None} <= {plan.key for plan in plans}


def test_safety_facts_agree_across_the_library():
    plans = [compile_source(path.read_bytes(), path.name) for path in FILES]
    assert [str(one) for one in lint_together(plans) if one.code == "LINT-7"] == []


def test_the_example_in_the_documentation_is_a_clean_plan():
    page = (LIBRARY.parents[2] / "docs" / "plan-language.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    assert lint(compile_source(example, "plan-language.md")) == []
