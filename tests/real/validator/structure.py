"""Changes of what a resource is made of: its members, codes and references, and its text."""

import copy
import json
import re

from places import EXTENSION, draw, is_text, members, named, places, replace

# Of a choice, two of its types, each with a value.
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


def unknown_element(random, resource):
    place, _ = random.choice(list(places(resource)))
    place["nick"] = random.choice(["x", 1, True, {"x": 1}])
    return True


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


def null_among_strings(random, resource):
    drawn = draw(random, resource, lambda _, value: isinstance(value, list) and value and is_text("", value[0]))
    if drawn is None:
        return False
    drawn[0][drawn[1]].append(None)
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
