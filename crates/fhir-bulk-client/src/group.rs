//! The Groups of a server: which there are, and who belongs to one
//! ([Group](https://hl7.org/fhir/uv/bulkdata/group.html)).
//!
//! An export with `_since` does not have the history of who joined since: compare the roster with the one before, and
//! ask for the new members without `_since`
//! ([request pattern](https://hl7.org/fhir/uv/bulkdata/export.html#group-membership-request-pattern)).

use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::client::BulkClient;
use crate::error::{Error, ErrorKind};
use crate::export::{Level, group_id};
use crate::http::Call;
use crate::lenient;

/// The longest answer that is read, in bytes.
const MAX_BODY: usize = 256 * 1024 * 1024;

/// How many pages of Groups are read at most.
const MAX_PAGES: usize = 1000;

/// Where a server says when it last looked who belongs to the Group.
const REFRESHED: &str = "http://hl7.org/fhir/uv/bulkdata/StructureDefinition/members-refreshed";

/// A Group, as far as an export needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Group {
    /// What an export names it by.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Its identifiers, each as `system|value`, or the value alone.
    pub identifiers: Vec<String>,
    /// How many members the server says it has.
    pub quantity: Option<u64>,
    /// Its members, where the server lists them. In a list of Groups some servers leave them out.
    pub members: Vec<GroupMember>,
    /// When the server last looked who belongs to it.
    pub members_refreshed: Option<String>,
}

/// A member of a Group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Whom: usually `Patient/id`, or a URL that ends so.
    pub reference: String,
    /// Whether the membership has ended.
    pub inactive: bool,
}

impl Group {
    /// The ids of the patients who belong to it now.
    pub fn patients(&self) -> impl Iterator<Item = &str> {
        let active = self.members.iter().filter(|member| !member.inactive);
        active.filter_map(|member| {
            let (before, id) = member.reference.rsplit_once('/')?;
            (before == "Patient" || before.ends_with("/Patient")).then_some(id)
        })
    }
}

impl BulkClient {
    /// The Groups that the client may see, all of them or those with this name or identifier (`value` or
    /// `system|value`).
    ///
    /// # Errors
    /// As any request. Some servers have Groups that are not listed.
    pub async fn groups(&self, name: Option<&str>, identifier: Option<&str>) -> Result<Vec<Group>, Error> {
        let mut url = self.at_base("Group")?;
        for (parameter, value) in [("name", name), ("identifier", identifier)] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(parameter, value);
            }
        }
        let (mut groups, mut next, mut pages) = (Vec::new(), Some(url), 0);
        while let Some(url) = next {
            let bundle: Bundle = self.read_resource(url.clone(), "Bundle").await?;
            groups.extend(bundle.entry.into_iter().filter_map(|entry| entry.resource?.group()));
            pages += 1;
            let link = bundle.link.iter().find(|link| link.relation == "next" && pages < MAX_PAGES);
            next = link.and_then(|link| url.join(&link.url).ok()).filter(|next| *next != url);
        }
        Ok(groups)
    }

    /// A Group with its members.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none with this id; otherwise as any request.
    pub async fn group(&self, id: &str) -> Result<Group, Error> {
        let mut url = self.base().clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["Group", group_id(id)?]);
        }
        let resource: Resource = self.read_resource(url.clone(), "Group").await?;
        resource.group().ok_or_else(|| {
            Error::new(ErrorKind::Protocol, "the server's Group has no id").with_url("GET", &url)
        })
    }

    /// The Group that a person means by its id, identifier or name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none, [`ErrorKind::Config`] if there are several; otherwise as any request.
    pub async fn resolve_group(&self, text: &str) -> Result<Group, Error> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if text.bytes().all(legal) {
            match self.group(text).await {
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Refused) => {}
                found => return found,
            }
        }
        let mut found = self.groups(None, Some(text)).await?;
        if found.is_empty() {
            found = self.groups(Some(text), None).await?;
            // A search by name finds what begins so.
            if found.iter().any(|group| group.name.as_deref() == Some(text)) {
                found.retain(|group| group.name.as_deref() == Some(text));
            }
        }
        match <[Group; 1]>::try_from(found) {
            Ok([group]) => Ok(group),
            Err(none) if none.is_empty() => {
                let what = format!("there is no Group with the id, identifier or name {text:?}");
                Err(Error::new(ErrorKind::NotFound, what)
                    .with_hint("does the client see it? Some are not listed"))
            }
            Err(several) => {
                let ids: Vec<_> = several.iter().map(|group| group.id.as_str()).collect();
                let what = format!("several Groups are meant by {text:?}: {}", ids.join(", "));
                Err(Error::new(ErrorKind::Config, what).with_hint("name one by its id"))
            }
        }
    }

    /// Refuses an empty Group of a server that would export everybody then.
    pub(crate) async fn refuse_empty_group(&self, level: &Level) -> Result<(), Error> {
        let Level::Group(id) = level else { return Ok(()) };
        if !self.quirks().empty_group_exports_everyone || self.group(id).await?.patients().next().is_some() {
            return Ok(());
        }
        let what = format!("Group {id:?} has no members, and this server would export all patients");
        Err(Error::new(ErrorKind::Config, what))
    }

    async fn read_resource<T: DeserializeOwned>(&self, url: Url, type_: &str) -> Result<T, Error> {
        let call = self.with_client_id(Call::get(url, "application/fhir+json"));
        let answer = self.transport.send(&call).await?;
        let url = answer.url.clone();
        let body = answer.body.read(MAX_BODY).await?;
        // The parser's words may quote what identifies somebody.
        serde_json::from_slice(&body).map_err(|_| {
            Error::new(ErrorKind::Protocol, format!("the answer is no {type_}")).with_url("GET", &url)
        })
    }
}

#[derive(Deserialize)]
struct Bundle {
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    entry: Vec<Entry>,
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    link: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    relation: String,
    url: String,
}

#[derive(Deserialize)]
struct Entry {
    resource: Option<Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    resource_type: String,
    id: Option<String>,
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    identifier: Vec<Identifier>,
    quantity: Option<u64>,
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    member: Vec<Member>,
    #[serde(default, deserialize_with = "lenient::null_is_empty")]
    extension: Vec<Extension>,
}

#[derive(Deserialize)]
struct Identifier {
    system: Option<String>,
    value: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    entity: Option<Reference>,
    #[serde(default)]
    inactive: bool,
}

#[derive(Deserialize)]
struct Reference {
    reference: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extension {
    url: String,
    value_date_time: Option<String>,
}

impl Resource {
    /// None for an OperationOutcome among the results, and the like.
    fn group(self) -> Option<Group> {
        let identifier = |identifier: Identifier| match (identifier.system, identifier.value?) {
            (Some(system), value) => Some(format!("{system}|{value}")),
            (None, value) => Some(value),
        };
        let member = |member: Member| {
            Some(GroupMember { reference: member.entity?.reference?, inactive: member.inactive })
        };
        Some(Group {
            id: self.id.filter(|_| self.resource_type == "Group")?,
            name: self.name,
            identifiers: self.identifier.into_iter().filter_map(identifier).collect(),
            quantity: self.quantity,
            members: self.member.into_iter().filter_map(member).collect(),
            members_refreshed: self
                .extension
                .into_iter()
                .find(|extension| extension.url == REFRESHED)
                .and_then(|extension| extension.value_date_time),
        })
    }
}
