"""Changes by which a constraint of the definitions does not hold."""

import copy

from places import EXTENSION, draw, is_array_of_objects, named, places, replace


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


def contact(_random, resource):
    """pat-1: a contact without anything to reach it by."""
    if resource["resourceType"] != "Patient":
        return False
    resource.setdefault("contact", []).append({"relationship": [{"text": "x"}]})
    return True
