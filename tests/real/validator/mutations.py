"""Resources with one change each: classes of faults, and of changes that are legal.

A class is a function that changes a resource in place, at a place that is drawn by `random`, or returns another text
for its line; it says `False` where the resource has no such place.
"""

import copy
import json
import re
from random import Random

CHOICES = {
    "effective": ("Period", {"start": "2020"}, "Instant", "2020-01-01T00:00:00Z"),
    "value": ("Boolean", True, "String", "x"),
    "onset": ("String", "x", "Age", {"value": 3, "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"}),
    "performed": ("String", "x", "DateTime", "2020"),
    "occurrence": ("String", "x", "DateTime", "2020"),
    "serviced": ("Date", "2020-01-01", "Period", {"start": "2020"}),
    "deceased": ("Boolean", True, "DateTime", "2020"),
    "multipleBirth": ("Boolean", True, "Integer", 2),
    "medication": ("Reference", {"reference": "Medication/1"}, "CodeableConcept", {"text": "x"}),
}
EXTENSION = {"url": "http://example.org/x", "valueString": "x"}


def places(value, path=()):
    """Each object within, with the names on the way to it; what is in extensions and narratives is left alone."""
    if isinstance(value, dict):
        yield value, path
        for name, inside in value.items():
            if name not in ("extension", "text"):
                yield from places(inside, (*path, name))
    elif isinstance(value, list):
        for inside in value:
            yield from places(inside, path)


def members(resource, wanted):
    """(object, name) of each member that is wanted, by its name and value."""
    return [
        (place, name)
        for place, _ in places(resource)
        for name, value in place.items()
        if name not in ("resourceType", "extension") and wanted(name, value)
    ]


def draw(random: Random, resource, wanted):
    found = members(resource, wanted)
    return random.choice(found) if found else None


def replace(wanted, new):
    """A class that gives one of the wanted members a new value: one of several, or what is made of the old one."""

    def change(random: Random, resource):
        drawn = draw(random, resource, wanted)
        if drawn is None:
            return False
        place, name = drawn
        place[name] = new(place[name]) if callable(new) else random.choice(new)
        return True

    return change


def is_text(_name, value):
    return isinstance(value, str)


def is_object(_name, value):
    return isinstance(value, dict)


def is_array_of_objects(_name, value):
    return isinstance(value, list) and value and isinstance(value[0], dict)


def named(*names, of=str):
    return lambda name, value: name in names and isinstance(value, of)


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


def unknown_element(random, resource):
    place, _ = random.choice(list(places(resource)))
    place["nick"] = random.choice(["x", 1, True, {"x": 1}])
    return True


def leave_out(wanted):
    """A class in which a member goes."""

    def change(random, resource):
        found = [(place, name) for place, name in members(resource, lambda *_: True) if wanted(place, name)]
        if not found:
            return False
        place, name = random.choice(found)
        del place[name]
        return True

    return change


def is_code_of_coding(place, name):
    return name == "code" and isinstance(place[name], str) and "system" in place and "value" not in place


def choices(random, resource):
    """A second value of a choice."""

    def prefix(name):
        return next((p for p in CHOICES if name.startswith(p) and name[len(p) :][:1].isupper()), None)

    found = [(p, n) for p, n in members(resource, lambda name, _: prefix(name)) if prefix(n) in CHOICES]
    if not found:
        return False
    place, name = random.choice(found)
    chosen = prefix(name)
    one, its_value, other, other_value = CHOICES[chosen]
    if name == chosen + one:
        one, its_value = other, other_value
    place[chosen + one] = its_value
    return True


def duplicate(random, resource):
    """A member twice, with the same value."""
    place, name = random.choice(members(resource, lambda *_: True))
    place["§" + name] = place[name]
    return json.dumps(resource, ensure_ascii=False).replace('"§', '"')


def truncated(random, resource):
    text = json.dumps(resource)
    return text[: random.randrange(len(text) // 2, len(text) - 1)]


def unknown_type(_random, resource):
    resource["resourceType"] = "Planet"
    return True


def period(_random, resource):
    """per-1: a period that ends before it starts."""
    for place, _ in places(resource):
        if isinstance(place.get("start"), str) and isinstance(place.get("end"), str):
            place["start"], place["end"] = "2021-05-01", "2020-05-01"
            return True
    return False


def id_only(random, resource):
    """ele-1: an element with nothing but an id."""
    drawn = draw(random, resource, is_array_of_objects)
    if drawn is None or drawn[1] == "contained":
        return False
    drawn[0][drawn[1]].append({"id": "x"})
    return True


def extension_with_both(_random, resource):
    """ext-1: an extension with a value and extensions."""
    resource.setdefault("extension", []).append({**EXTENSION, "extension": [dict(EXTENSION)]})
    return True


def local_reference(random, resource):
    """ref-1: a reference to a contained resource that is not there."""
    return replace(named("reference"), ["#nobody"])(random, resource)


def unreferred(_random, resource):
    """dom-3: a contained resource that nothing refers to."""
    resource.setdefault("contained", []).append({"resourceType": "Organization", "id": "alone", "name": "x"})
    return True


def nested(_random, resource):
    """dom-2: a contained resource that contains one."""
    inner = {"resourceType": "Organization", "id": "inner", "name": "x"}
    outer = {
        "resourceType": "Organization",
        "id": "outer",
        "name": "x",
        "contained": [inner],
        "partOf": {"reference": "#inner"},
    }
    resource.setdefault("contained", []).append(outer)
    resource.setdefault("extension", []).append(
        {"url": "http://example.org/x", "valueReference": {"reference": "#outer"}}
    )
    return True


def quantity(random, resource):
    """qty-3: a code of a unit without its system."""
    drawn = [p for p, _ in places(resource) if "unit" in p and "code" in p and "system" in p]
    if not drawn:
        return False
    del random.choice(drawn)["system"]
    return True


def observation(_random, resource):
    """obs-6: a value, and a reason why there is none."""
    if resource["resourceType"] != "Observation" or not any(name.startswith("value") for name in resource):
        return False
    resource["dataAbsentReason"] = {"text": "x"}
    return True


def narrative(random, resource):
    """txt-1 and txt-2: a narrative of what is not allowed in one, or without content."""
    content = random.choice(["<script>x</script>", "<p onclick='x'>y</p>", "<object>x</object>", "", " "])
    resource["text"] = {
        "status": "generated",
        "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{content}</div>',
    }
    return True


REQUIRED = {
    "CarePlan": ["status", "intent", "subject"],
    "Claim": ["status", "type", "use", "patient", "created", "provider", "priority", "insurance"],
    "Condition": ["subject"],
    "DiagnosticReport": ["status", "code"],
    "DocumentReference": ["status", "content"],
    "Encounter": ["status", "class"],
    "ExplanationOfBenefit": ["status", "type", "use", "patient", "created", "insurer", "provider", "outcome"],
    "ImagingStudy": ["status", "subject"],
    "Immunization": ["status", "vaccineCode", "patient", "occurrenceDateTime"],
    "MedicationRequest": ["status", "intent", "medicationCodeableConcept", "subject"],
    "Observation": ["status", "code"],
    "Procedure": ["status", "subject"],
    "Provenance": ["target", "recorded", "agent"],
}


def required(random, resource):
    """A member of the resource goes that must be there."""
    found = [name for name in REQUIRED.get(resource["resourceType"], []) if name in resource]
    if not found:
        return False
    del resource[random.choice(found)]
    return True


def set_members(resource_type, **values):
    """A class that gives a resource of a type these members."""

    def change(_random, resource):
        if resource["resourceType"] != resource_type:
            return False
        resource.update(copy.deepcopy(values))
        return True

    return change


def status_of(system, code):
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


def component(_random, resource):
    """obs-7: a component with the code of the observation, which has a value itself."""
    if resource["resourceType"] != "Observation" or not any(name.startswith("value") for name in resource):
        return False
    resource["component"] = [{"code": copy.deepcopy(resource["code"]), "valueBoolean": True}]
    return True


def contained_meta(member):
    """A class of contained resources, referred to, that have a member of `meta` that they may not have."""

    def change(_random, resource):
        inside = {"resourceType": "Organization", "id": "inside", "name": "x", "meta": copy.deepcopy(member)}
        resource.setdefault("contained", []).append(inside)
        reference = {"url": "http://example.org/x", "valueReference": {"reference": "#inside"}}
        resource.setdefault("extension", []).append(reference)
        return True

    return change


def null_among_strings(random, resource):
    drawn = draw(random, resource, lambda _, value: isinstance(value, list) and value and is_text("", value[0]))
    if drawn is None:
        return False
    drawn[0][drawn[1]].append(None)
    return True


def contact(_random, resource):
    """pat-1: a contact without anything to reach it by."""
    if resource["resourceType"] != "Patient":
        return False
    resource.setdefault("contact", []).append({"relationship": [{"text": "x"}]})
    return True


def reference_target(random, resource):
    """A reference to some type, which the element may point to or not."""
    kinds = ["Medication/1", "Patient/1", "Organization/1", "Encounter/1", "ValueSet/1", "Appointment/1"]
    return replace(named("reference"), kinds)(random, resource)


def concept(random, resource):
    """A CodeableConcept of a required binding whose only code is not in the value set."""
    drawn = draw(random, resource, named("clinicalStatus", "verificationStatus", of=dict))
    if drawn is None or "coding" not in drawn[0][drawn[1]]:
        return False
    drawn[0][drawn[1]]["coding"][0]["code"] = "nonsense"
    return True


def legal(random, resource):
    """Changes that are legal: an id, an extension, one beside a primitive, escapes, white space, a date in part."""
    kind = random.randrange(6)
    objects = [place for place, path in places(resource) if path and "resourceType" not in place]
    if kind == 0 and objects:
        random.choice(objects)["id"] = "an-id"
    elif kind == 1 and objects:
        random.choice(objects).setdefault("extension", []).append(copy.deepcopy(EXTENSION))
    elif kind == 2:
        drawn = draw(random, resource, lambda name, value: is_text(name, value) and name not in ("div", "id"))
        if drawn is None:
            return False
        drawn[0]["_" + drawn[1]] = {"extension": [copy.deepcopy(EXTENSION)]}
    elif kind == 3:
        # Within a word, so that it is in a string: `true` and `false` have theirs at the end.
        return re.sub("(?<=[a-z])e(?=[a-z])", r"\\u0065", json.dumps(resource, ensure_ascii=False))
    elif kind == 4:
        return "  " + json.dumps(resource, separators=(" , ", "\t:  "))
    else:
        return replace(named("birthDate", "effectiveDateTime", "onsetDateTime"), ["2020", "2020-02"])(
            random, resource
        )
    return True


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
