"""Resources with one change each: classes of faults, and of changes that are legal."""

import copy
import json
from random import Random

from constraints import (
    component,
    contact,
    contained_meta,
    extension_with_both,
    id_only,
    local_reference,
    narrative,
    nested,
    observation,
    period,
    quantity,
    status_of,
    unreferred,
)
from places import is_array_of_objects, is_object, is_text, leave_out, named, replace, set_members
from structure import (
    choices,
    concept,
    duplicate,
    is_code_of_coding,
    legal,
    null_among_strings,
    reference_target,
    required,
    truncated,
    unknown_element,
    unknown_type,
)

DATES = ("birthDate",)
DATE_TIMES = (
    "effectiveDateTime",
    "start",
    "end",
    "issued",
    "recordedDate",
    "onsetDateTime",
    "authoredOn",
    "created",
    "occurrenceDateTime",
    "date",
    "deceasedDateTime",
    "manufactureDate",
    "expirationDate",
    "abatementDateTime",
)
CODES = ("status", "gender", "intent", "use", "mode")


CLASSES = {
    "truncated line": truncated,
    "duplicate member": duplicate,
    "unknown resource type": unknown_type,
    "unknown element": unknown_element,
    "number for a string": replace(is_text, [5, 1.5]),
    "boolean for a string": replace(is_text, [True, False]),
    "object for a string": replace(is_text, [{"x": "y"}]),
    "string for an object": replace(is_object, ["x"]),
    "string for a number": replace(lambda _, v: isinstance(v, (int, float)) and not isinstance(v, bool), str),
    "string for a boolean": replace(lambda _, v: isinstance(v, bool), ["true", "false"]),
    "object for an array": replace(is_array_of_objects, lambda value: value[0]),
    "array for an object": replace(is_object, lambda value: [value]),
    "array for a string": replace(is_text, lambda value: [value]),
    "null": replace(lambda *_: True, [None]),
    "empty array of objects": replace(is_array_of_objects, [[]]),
    "empty object": replace(is_object, [{}]),
    "empty string": replace(is_text, [""]),
    "required member left out": required,
    "some member left out": leave_out(lambda place, name: len(place) > 1 and not is_code_of_coding(place, name)),
    "several choices": choices,
    "date": replace(named(*DATES), ["2024-13-01", "2024-02-30", "20240101", "2024-1-1", "x", "2024-01-01T10:00:00Z"]),
    "dateTime": replace(
        named(*DATE_TIMES),
        ["2024-13-01", "2024-02-30T00:00:00Z", "2024-01-01T10:00:00", "2024-01-01T25:00:00Z", "20240101", "yesterday"],
    ),
    "id": replace(named("id"), ["a_b", "a/b", "x" * 65, "a b"]),
    "code with spaces": replace(named(*CODES), [" final", "final ", "a  b"]),
    "required binding, code": replace(named(*CODES), ["nonsense", "Final", "MALE"]),
    "required binding, CodeableConcept": concept,
    "instant": replace(named("issued", "lastUpdated"), ["2024-01-01", "2024-01-01T10:00:00", "2024-02-30T10:00:00Z"]),
    "base64Binary": replace(named("data"), ["AA*=", "AAAAA", "x y z"]),
    "uri with spaces": replace(lambda n, v: n == "system" and is_text(n, v) and ":" in v, ["http://a b", "urn:a b"]),
    "integer with a fraction": replace(named("sequence", "line", of=int), [1.5]),
    "positiveInt of zero": replace(named("sequence", of=int), [0, -1]),
    "reference to a type": reference_target,
    "ext-1": extension_with_both,
    "per-1": period,
    "ref-1": local_reference,
    "dom-2": nested,
    "dom-3": unreferred,
    "qty-3": quantity,
    "obs-6": observation,
    "obs-7": component,
    "pat-1": contact,
    "con-5": set_members(
        "Condition",
        clinicalStatus=status_of("condition-clinical", "active"),
        verificationStatus=status_of("condition-ver-status", "entered-in-error"),
    ),
    "ait-2": set_members(
        "AllergyIntolerance",
        clinicalStatus=status_of("allergyintolerance-clinical", "active"),
        verificationStatus=status_of("allergyintolerance-verification", "entered-in-error"),
    ),
    "org-2": set_members("Organization", address=[{"use": "home", "text": "x"}]),
    "org-3": set_members("Organization", telecom=[{"use": "home", "system": "phone", "value": "1"}]),
    "dom-4": contained_meta({"versionId": "1"}),
    "dom-5": contained_meta({"security": [{"system": "http://example.org", "code": "x"}]}),
    "txt-1, txt-2": narrative,
    "legal change": legal,
}


# Where HAPI is known to judge otherwise; what it does is shown, and asks for nothing. Why is told in the README.
NOT_CLAIMED = {
    "null among strings": null_among_strings,
    "empty array of strings": replace(lambda _, v: isinstance(v, list) and v and is_text("", v[0]), [[]]),
    "ele-1": id_only,
    "code of a coding left out": leave_out(is_code_of_coding),
}


def mutants(resources: list[dict], each: int) -> list[tuple[str, str]]:
    """(class, line): of each class so many, drawn from all types alike; the same ones every time."""
    by_type: dict[str, list[dict]] = {}
    for resource in resources:
        by_type.setdefault(resource["resourceType"], []).append(resource)
    made = []
    for name, change in (CLASSES | NOT_CLAIMED).items():
        random = Random(name)
        count = 0
        for _ in range(each * 40):
            resource = copy.deepcopy(random.choice(by_type[random.choice(sorted(by_type))]))
            changed = change(random, resource)
            if changed:
                made.append((name, changed if isinstance(changed, str) else json.dumps(resource)))
                count += 1
            if count == each:
                break
    return made
