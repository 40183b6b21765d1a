//! A resource as one tree, whether it came as XML or as JSON.

use anyhow::{Context, Result};

/// An element of a resource: in XML the element with its attribute `value`, in JSON the property.
///
/// The attributes `id` and `url` of XML are children here, as they are properties in JSON.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The element's name; at the top, the resource's type.
    pub name: String,
    /// The value of a primitive element.
    pub value: Option<String>,
    /// The elements inside, in their order.
    pub children: Vec<Node>,
}

impl Node {
    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Every child of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Node> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The value of the first child of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.child(name)?.value.as_deref()
    }

    /// The values of every child of this name.
    pub fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name).filter_map(|child| child.value.as_deref())
    }

    /// The value of a child that must be there.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.text(name).with_context(|| format!("{} has no {name}", self.name))
    }

    /// The value of the extension of this URL.
    pub fn extension(&self, url: &str) -> Option<&str> {
        let extension = self.all("extension").find(|extension| extension.text("url") == Some(url))?;
        extension.children.iter().find(|child| child.name.starts_with("value"))?.value.as_deref()
    }
}
