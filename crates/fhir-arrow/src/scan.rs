//! What a line is, before anything is done with it.

use std::borrow::Cow;

use crate::json::{Document, Kind, Tape, Value};
use crate::{Instant, IssueCode, LineError, parse_instant};

/// What a line says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header<'r> {
    /// The resource type: ASCII letters, at most 64, not necessarily a type that FHIR knows.
    pub resource_type: Cow<'r, str>,
    /// The resource's id, a legal one ([`is_legal_id`]).
    pub id: Cow<'r, str>,
    /// `meta.lastUpdated`, where it is given and can be read.
    pub last_updated: Option<Instant>,
    /// `meta.versionId`.
    pub version_id: Option<Cow<'r, str>>,
    /// Whether the resource says that parts of it are left out: a tag `SUBSETTED` in `meta`.
    pub subsetted: bool,
}

/// Reads a line as a whole and says what resource it holds.
///
/// The line may have its line end. All of it is checked: it must be one JSON object in UTF-8, no object in it may
/// have a member twice, and it must have a `resourceType` and a legal `id`. A line that passes can be flattened.
///
/// # Errors
/// What is wrong with the line, and where.
///
/// ```
/// use fhir_arrow::{IssueCode, scan};
///
/// let header = scan(br#"{"resourceType":"Patient","id":"p1","meta":{"versionId":"3"}}"#)?;
/// assert_eq!((&*header.resource_type, &*header.id), ("Patient", "p1"));
/// assert_eq!(header.version_id.as_deref(), Some("3"));
///
/// let error = scan(br#"{"resourceType":"Patient","id":"p 1"}"#).unwrap_err();
/// assert_eq!((error.code, error.offset), (IssueCode::Value, 31));
/// # Ok::<(), fhir_arrow::LineError>(())
/// ```
pub fn scan(line: &[u8]) -> Result<Header<'static>, LineError> {
    let mut reader = Reader::default();
    let resource = reader.read(line)?;
    let header = resource.header()?;
    Ok(Header {
        resource_type: Cow::Owned(header.resource_type.into_owned()),
        id: Cow::Owned(header.id.into_owned()),
        version_id: header.version_id.map(|version| Cow::Owned(version.into_owned())),
        ..header
    })
}

/// Reads lines one after the other, each as [`scan`] does, with the same memory.
#[derive(Debug, Default)]
pub struct Reader {
    tape: Tape,
}

impl Reader {
    /// Reads a line as a whole: it must be one JSON object in UTF-8, in which no object has a member twice.
    ///
    /// # Errors
    /// What is wrong with the line, and where.
    pub fn read<'r>(&'r mut self, line: &'r [u8]) -> Result<Resource<'r>, LineError> {
        Ok(Resource { document: self.tape.parse(line)? })
    }
}

/// The resource of a line that has been read.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'r> {
    document: Document<'r>,
}

impl Resource<'_> {
    pub(crate) fn root(&self) -> Value<'_> {
        self.document.root()
    }

    /// What resource it is.
    ///
    /// # Errors
    /// It has no `resourceType`, or no legal `id`.
    pub fn header(&self) -> Result<Header<'_>, LineError> {
        let Identity { resource_type, id } = Identity::of(self.root())?;
        let meta = self.root().member("meta");
        let text = |name| meta.and_then(|meta| meta.member(name)).and_then(Value::string);
        Ok(Header {
            last_updated: text("lastUpdated").and_then(|text| parse_instant(&text)),
            version_id: text("versionId"),
            subsetted: meta.and_then(|meta| meta.member("tag")).is_some_and(is_subsetted),
            resource_type,
            id,
        })
    }
}

/// What every resource of an export has.
pub(crate) struct Identity<'a> {
    pub(crate) resource_type: Cow<'a, str>,
    id: Cow<'a, str>,
}

impl<'a> Identity<'a> {
    /// Finds the type and the id of a resource and checks them.
    pub(crate) fn of(root: Value<'a>) -> Result<Self, LineError> {
        let (mut resource_type, mut id) = (None, None);
        for (key, value) in root.members() {
            match &*key.name() {
                "resourceType" => resource_type = Some(value),
                "id" => id = Some(value),
                _ => continue,
            }
            if resource_type.is_some() && id.is_some() {
                break;
            }
        }
        let resource_type = required(resource_type, "resourceType", "Resource", is_type_name)?;
        let id = required(id, "id", &resource_type, is_legal_id)?;
        Ok(Self { resource_type, id })
    }
}

fn required<'a>(
    value: Option<Value<'a>>,
    name: &str,
    parent: &str,
    is_legal: impl Fn(&str) -> bool,
) -> Result<Cow<'a, str>, LineError> {
    let path = || format!("{parent}.{name}");
    let Some(value) = value else {
        return Err(LineError::new(IssueCode::Required, format!("there is no {name}"), 0).within(path()));
    };
    if value.kind() != Kind::String {
        let reason = format!("{name} is no string");
        return Err(LineError::new(IssueCode::Value, reason, value.start()).within(path()));
    }
    value.string().filter(|text| is_legal(text)).ok_or_else(|| {
        let reason = format!("{name} is not of the form that FHIR requires");
        LineError::new(IssueCode::Value, reason, value.start()).within(path())
    })
}

/// Whether one of the tags says that elements are left out
/// (<https://hl7.org/fhir/R4/search.html#elements>). Older servers write the code system's older address.
fn is_subsetted(tags: Value<'_>) -> bool {
    tags.elements().any(|tag| {
        tag.member("code").and_then(Value::string).as_deref() == Some("SUBSETTED")
            && tag.member("system").and_then(Value::string).is_none_or(|system| {
                system.ends_with("/v3-ObservationValue") || system.ends_with("/v3/ObservationValue")
            })
    })
}

/// Whether the text can be the name of a resource type: 1 to 64 ASCII letters, safe in paths.
pub(crate) fn is_type_name(name: &str) -> bool {
    matches!(name.len(), 1..=64) && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Whether the text is what FHIR calls an id (<https://hl7.org/fhir/R4/datatypes.html#id>): 1 to 64 ASCII letters,
/// digits, `-` and `.`.
#[must_use]
pub fn is_legal_id(id: &str) -> bool {
    // The legal bytes are counted, without a way out at an illegal one, so that the loop is vectorised.
    let is_legal = |byte: u8| {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let digit = byte.wrapping_sub(b'0') < 10;
        u8::from(letter | digit | (byte == b'-') | (byte == b'.'))
    };
    matches!(id.len(), 1..=64) && usize::from(id.bytes().map(is_legal).sum::<u8>()) == id.len()
}

/// The hash that tells whether a resource is what it was before: xxh3 (64 bits) of the line without its line end.
#[must_use]
pub fn row_hash(line: &[u8]) -> i64 {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    xxhash_rust::xxh3::xxh3_64(line).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_text(line: &str) -> Result<Header<'static>, LineError> {
        scan(line.as_bytes())
    }

    #[test]
    fn a_header_is_read_wherever_its_members_stand() {
        let line = r#"{"meta":{"lastUpdated":"2024-05-01T12:00:00.5+02:00","versionId":"7","tag":[{"code":"x"}]},
            "x":{"id":"other"},"id":"a-1.B","resourceType":"Patient"}"#;
        let header = scan_text(line).unwrap();
        assert_eq!(header.resource_type, "Patient");
        assert_eq!(header.id, "a-1.B");
        assert_eq!(header.last_updated, parse_instant("2024-05-01T10:00:00.5Z"));
        assert_eq!(header.version_id.as_deref(), Some("7"));
        assert!(!header.subsetted);
    }

    #[test]
    fn escapes_in_a_header_are_read() {
        let header = scan_text(r#"{"resource\u0054ype":"\u0050atient","\u0069d":"\u0031"}"#).unwrap();
        assert_eq!((&*header.resource_type, &*header.id), ("Patient", "1"));
    }

    #[test]
    fn a_line_end_belongs_to_no_line() {
        assert!(scan_text("{\"resourceType\":\"Patient\",\"id\":\"1\"}\r\n").is_ok());
        assert_eq!(row_hash(b"{}"), row_hash(b"{}\n"));
        assert_eq!(row_hash(b"{}"), row_hash(b"{}\r\n"));
        assert_ne!(row_hash(b"{}"), row_hash(b"{ }"));
        assert_eq!(row_hash(b""), 0x2d06_8005_38d3_94c2, "the published xxh3 of nothing");
    }

    #[test]
    fn what_cannot_be_read_of_meta_is_left_out() {
        let header = scan_text(
            r#"{"resourceType":"Patient","id":"1","meta":{"lastUpdated":"lately","versionId":3,"tag":{}}}"#,
        )
        .unwrap();
        assert_eq!((header.last_updated, header.version_id, header.subsetted), (None, None, false));
    }

    #[test]
    fn a_subsetted_resource_is_known_by_its_tag() {
        let subsetted = |tag: &str| {
            scan_text(&format!(r#"{{"resourceType":"Patient","id":"1","meta":{{"tag":[{{}},{tag}]}}}}"#))
                .unwrap()
                .subsetted
        };
        assert!(subsetted(r#"{"code":"SUBSETTED"}"#));
        assert!(subsetted(
            r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#
        ));
        assert!(subsetted(r#"{"system":"http://hl7.org/fhir/v3/ObservationValue","code":"SUBSETTED"}"#));
        assert!(!subsetted(r#"{"system":"http://example.org/ours","code":"SUBSETTED"}"#));
        assert!(!subsetted(r#"{"code":"subsetted"}"#));
    }

    #[test]
    fn a_line_without_type_or_id_is_refused() {
        let cases = [
            (r#"{"id":"1"}"#, IssueCode::Required, "Resource.resourceType"),
            (r#"{"resourceType":"Patient"}"#, IssueCode::Required, "Patient.id"),
            (r#"{"resourceType":"Patient","id":1}"#, IssueCode::Value, "Patient.id"),
            (r#"{"resourceType":"Patient","id":""}"#, IssueCode::Value, "Patient.id"),
            (r#"{"resourceType":"Patient","id":"a/b"}"#, IssueCode::Value, "Patient.id"),
            (r#"{"resourceType":"../x","id":"1"}"#, IssueCode::Value, "Resource.resourceType"),
            (r#"{"resourceType":null,"id":"1"}"#, IssueCode::Value, "Resource.resourceType"),
        ];
        for (line, code, path) in cases {
            let error = scan_text(line).unwrap_err();
            assert_eq!((error.code, error.element_path.as_deref()), (code, Some(path)), "{line}");
        }
    }

    #[test]
    fn an_id_has_letters_digits_dashes_and_dots() {
        assert!(is_legal_id("a"));
        assert!(is_legal_id(&"A-9.".repeat(16)));
        for id in ["", &"a".repeat(65), "a_b", "a b", "é", "a/b", "a\n"] {
            assert!(!is_legal_id(id), "{id}");
        }
    }
}
