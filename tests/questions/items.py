"""What the tables codings, identifiers, refs and extensions must hold, found by walking through JSON.

Nothing here knows of definitions, Delta tables or Arrow. What an object is follows from its name in JSON and from its members,
as somebody would say who reads FHIR. What our tables do not reach is left out by name, in `leaves_out`.
"""

import datetime
import math
import re

# Coding by itself: what is called so, by the names on the way without positions.
PLAIN_CODINGS = re.compile(
    r"^\w+\.meta\.(tag|security)$|\.valueCoding$|^Encounter\.class$|^Encounter\.classHistory\.class$|^Questionnaire\.(item\.)*code$"
    r"|^DocumentReference\.content\.format$|^ImagingStudy\.modality$|^ImagingStudy\.series\.(modality|bodySite|laterality)$"
    r"|^ImagingStudy\.series\.instance\.sopClass$"
)
# The types of an extension's value that have columns.
VALUES = (
    "String Code Boolean Integer Decimal Date DateTime Uri Coding CodeableConcept Quantity Reference Identifier Period Address"
).split()
RELATIVE = re.compile(r"^([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}(/_history/[^/]+)?$")
# Names that look like types and are none.
NO_TYPES = {"Nonsense"}


class Literal(float):
    """A number of JSON that is written as it was."""

    def __new__(cls, text: str):
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


def leaves_out(path: str, name: str) -> bool:
    """Whether the tables do not reach a member: contained resources, modifiers, extensions of elements, the third level of what
    contains itself, values of any type."""
    whole = f"{path}.{name}"
    if name in ("contained", "modifierExtension") or name.startswith("_"):
        return True
    if name == "extension":
        return not re.fullmatch(r"\w+(\.extension)?", path)
    if re.fullmatch(r"\w+\.extension(\.extension)?", path) and name.startswith("value"):
        return name.removeprefix("value") not in VALUES
    return whole.count(".item") > 2 and path.startswith("Questionnaire") or bool(re.match(r"Task\.(in|out)put\.value", whole))


def kind_of(path: str, value: dict) -> str | None:
    """The table that an object has a row in."""
    name = path.rsplit(".", 1)[-1]
    if name == "extension":
        return "extensions"
    if name == "coding" or PLAIN_CODINGS.search(path):
        return "codings"
    if name.lower().endswith("identifier") and "reference" not in value:
        return "identifiers"
    is_text = isinstance(value.get("reference"), str)
    said = {"reference", "type", "identifier", "display", "id", "extension"}
    looks_so = set(value) <= said and isinstance(value.get("identifier", {}), dict) and isinstance(value.get("type", ""), str)
    return "refs" if is_text or (looks_so and set(value) & {"identifier", "display"}) else None


class Walk:
    """The rows of all tables."""

    def __init__(self):
        self.rows = {"codings": [], "identifiers": [], "refs": [], "extensions": []}

    def resource(self, resource: dict) -> None:
        """Adds what is in a resource."""
        self.inside((resource["resourceType"], resource["id"]), resource["resourceType"], "", resource)

    def inside(self, whose: tuple, path: str, place: str, value: dict) -> None:
        """Adds what is in an object."""
        for name, member in value.items():
            if leaves_out(path, name):
                continue
            many = isinstance(member, list)
            for number, one in enumerate(member if many else [member], 1):
                if isinstance(one, dict):
                    below = f"{place}.{name}".lstrip(".") + (f"[{number}]" if many else "")
                    self.object(whose, (f"{path}.{name}", below, number), value, one)

    def object(self, whose: tuple, where: tuple, owner: dict, value: dict) -> None:
        """Adds an object, and what is in it."""
        path, place, number = where
        kind = kind_of(path, value)
        if kind == "codings":
            is_in_concept = path.endswith(".coding")
            at = (path.removesuffix(".coding"), place.rsplit(".", 1)[0], number) if is_in_concept else (path, place, 1)
            own = [value.get(name) for name in ("system", "version", "code", "display", "userSelected")]
            self.rows[kind].append([*whose, *at, *own, owner.get("text") if is_in_concept else None])
        elif kind is not None:
            row = {"identifiers": identifier, "refs": reference, "extensions": extension}[kind]
            self.rows[kind].append([*whose, path, place, *row(owner, value)])
        # Of a Reference's identifier there are two columns.
        is_in_reference = kind == "identifiers" and kind_of(path.rsplit(".", 1)[0], owner) == "refs"
        if is_in_reference:
            self.rows[kind][-1][4:8] = [None] * 4
            self.rows[kind][-1][10:] = [None] * 2
        else:
            self.inside(whose, path, place, value)


def first(value: dict, *names):
    """The value at the end of a path, of lists the first."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
        if isinstance(value, list):
            value = value[0] if value else None
    return value


def identifier(_, value: dict) -> list:
    """The columns of an Identifier."""
    own = [value.get("use"), *(first(value, "type", *path) for path in (("coding", "system"), ("coding", "code"), ("text",)))]
    start, end = first(value, "period", "start"), first(value, "period", "end")
    return [*own, value.get("system"), value.get("value"), moment(start, False), moment(end, True)]


def target(value: dict) -> tuple:
    """The type and id of what a Reference points to. The lakes of the tests know no base of a server."""
    text = value.get("reference") or ""
    relative = RELATIVE.match(text)
    if relative and relative[1] not in NO_TYPES:
        return relative[1], text.split("/")[1]
    found = re.match(r"^([A-Z][A-Za-z]+)\?", text) or re.match(r"^https?://.+/([A-Z][A-Za-z]+)/[A-Za-z0-9.-]{1,64}$", text)
    return (found[1] if found else value.get("type")), None


def reference(_, value: dict) -> list:
    """The columns of a Reference."""
    logical = [first(value, "identifier", name) for name in ("system", "value")]
    return [value.get("reference"), *target(value), *logical, value.get("display")]


def extension(owner: dict, value: dict) -> list:
    """The columns of an Extension."""
    names = [name for name in value if name.startswith("value") and name.removeprefix("value") in VALUES]
    name = names[0] if names else "value"
    kind, one = name.removeprefix("value"), value.get(name)
    parent = owner.get("url") if "resourceType" not in owner else None
    coding = one if kind == "Coding" else first(one, "coding") if kind == "CodeableConcept" else None
    text = {
        "Coding": lambda: one.get("display"),
        "CodeableConcept": lambda: first(one, "coding", "display") or one.get("text"),
        "Quantity": lambda: one.get("value"),
        "Reference": lambda: one.get("reference") or one.get("display"),
        "Identifier": lambda: one.get("value"),
        "Period": lambda: None,
        "Address": lambda: one.get("text"),
    }.get(kind, lambda: one)()
    number = one if kind in ("Integer", "Decimal") else one.get("value") if kind == "Quantity" else None
    unit = (one.get("code") or one.get("unit")) if kind == "Quantity" else None
    system = coding.get("system") if coding else one.get("system") if kind == "Identifier" else None
    code = coding.get("code") if coding else one if kind == "Code" else None
    start, end = (one.get("start"), one.get("end")) if kind == "Period" else (one, one) if kind in ("Date", "DateTime") else (None, None)
    primitive = kind and not isinstance(one, dict)
    said = (kind[0].lower() + kind[1:] if primitive else kind) or None
    to = target(one) if kind == "Reference" else (None, None)
    boolean = one if kind == "Boolean" else None
    return [
        value.get("url"), parent, said, text, boolean, None if number is None else float(number), unit, system, code,
        moment(start, False), moment(end, True), *to,
    ]  # fmt: skip


def moment(text: str | None, last: bool) -> datetime.datetime | None:
    """The first or last moment of a date, in UTC; a time of day stands for itself."""
    if text is None:
        return None
    if "T" in text:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(datetime.timezone.utc)
    year, month, day = (*map(int, text.split("-")), None, None)[:3]
    start = datetime.datetime(year, month or 1, day or 1)
    if not last:
        return start
    after = (
        datetime.datetime(year + 1, 1, 1) if month is None
        else datetime.datetime(year + month // 12, month % 12 + 1, 1) if day is None
        else start + datetime.timedelta(days=1)
    )  # fmt: skip
    return after - datetime.timedelta(microseconds=1)


def cell(value) -> str:
    """A value as the queries of the tests print it."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case datetime.datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%S")
        case float() if type(value) is float:
            return str(int(math.copysign(math.floor(abs(value * 10000) + 0.5), value)))
    return str(value)
