"""Places in a resource, and classes of changes that take the wanted member at a place that is drawn.

A class is a function that changes a resource in place, at a place that is drawn by `random`, or returns another text
for its line; it says `False` where the resource has no such place.
"""

import copy
from random import Random

# An extension that is legal anywhere.
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


def set_members(resource_type, **values):
    """A class that gives a resource of a type these members."""

    def change(_random, resource):
        if resource["resourceType"] != resource_type:
            return False
        resource.update(copy.deepcopy(values))
        return True

    return change
