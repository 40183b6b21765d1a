//! Resources out of FHIR's XML (<https://hl7.org/fhir/R4/xml.html>): a Bundle, or one resource.

use anyhow::{Context, Result, bail};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::node::Node;

/// Calls `visit` with each resource of a Bundle, or with the only one. One resource is in memory at a time.
///
/// # Errors
/// Where the bytes are no XML, or `visit` fails.
pub fn read(bytes: &[u8], visit: &mut dyn FnMut(Node) -> Result<()>) -> Result<()> {
    let mut reader = Reader::from_reader(bytes);
    // How many elements are open here; those of a resource are closed by `subtree`.
    let mut open = 0_usize;
    loop {
        match reader.read_event()? {
            Event::Start(start) => match start.local_name().as_ref() {
                // What leads to the resources of a Bundle.
                b"Bundle" | b"entry" | b"resource" => open += 1,
                name if name.first().is_some_and(u8::is_ascii_uppercase) => {
                    visit(subtree(&mut reader, &start)?)?;
                }
                // The Bundle's own elements: id, meta, type, and each entry's fullUrl.
                _ => {
                    reader.read_to_end(start.name())?;
                }
            },
            Event::End(_) => open = open.saturating_sub(1),
            Event::Eof if open > 0 => bail!("the file ends inside of the Bundle"),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// The element that `start` opens, with everything up to its end.
fn subtree(reader: &mut Reader<&[u8]>, start: &BytesStart<'_>) -> Result<Node> {
    let mut node = element(start)?;
    loop {
        match reader.read_event()? {
            // The narrative's XHTML is no FHIR element.
            Event::Start(child) if child.local_name().as_ref() == b"div" => {
                reader.read_to_end(child.name())?;
            }
            Event::Start(child) => node.children.push(subtree(reader, &child)?),
            Event::Empty(child) => node.children.push(element(&child)?),
            Event::End(_) => return Ok(node),
            Event::Eof => bail!("the file ends inside of {}", node.name),
            _ => {}
        }
    }
}

fn element(start: &BytesStart<'_>) -> Result<Node> {
    let name = std::str::from_utf8(start.local_name().into_inner()).context("an element's name")?.to_owned();
    let mut node = Node { name, ..Node::default() };
    for attribute in start.attributes() {
        let attribute = attribute.with_context(|| format!("an attribute of {}", node.name))?;
        let value = attribute.unescape_value()?.into_owned();
        match attribute.key.as_ref() {
            b"value" => node.value = Some(value),
            b"url" => {
                node.children.push(Node { name: "url".to_owned(), value: Some(value), children: vec![] })
            }
            b"id" => node.children.push(Node { name: "id".to_owned(), value: Some(value), children: vec![] }),
            _ => {}
        }
    }
    Ok(node)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(xml: &str) -> Result<Vec<Node>> {
        let mut all = Vec::new();
        read(xml.as_bytes(), &mut |resource| {
            all.push(resource);
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn a_bundle_gives_its_resources() {
        let all = resources(
            r#"<?xml version="1.0"?><Bundle xmlns="http://hl7.org/fhir"><id value="b"/><entry><fullUrl value="u"></fullUrl>
               <resource><Basic><id value="1"/><text><status value="x"/><div>a <b>c</b></div></text></Basic></resource></entry>
               <entry><resource><Patient><extension url="u"><valueCode value="a&lt;b"></valueCode></extension></Patient></resource>
               </entry></Bundle>"#,
        )
        .unwrap();
        let names: Vec<_> = all.iter().map(|resource| resource.name.as_str()).collect();
        assert_eq!(names, ["Basic", "Patient"]);
        assert_eq!(all[0].text("id"), Some("1"));
        assert_eq!(all[0].child("text").unwrap().children.len(), 1);
        assert_eq!(all[1].extension("u"), Some("a<b"));
    }

    #[test]
    fn a_file_that_ends_early_is_refused() {
        for xml in ["<Bundle><entry><resource><Basic><id value='1'/>", "<Bundle><entry></entry>", "<Basic>"] {
            assert!(resources(xml).is_err(), "{xml}");
        }
    }

    #[test]
    fn one_resource_needs_no_bundle() {
        assert_eq!(resources("<Basic><id value='1'/></Basic>").unwrap()[0].text("id"), Some("1"));
    }
}
