//! What a narrative may have in it (<https://hl7.org/fhir/R4/narrative.html#xhtml>): a well-formed `div` of basic
//! formatting, with some content. Names of entities are not looked up.

/// The elements of XHTML 1.0 for text, lists, tables and images.
const ELEMENTS: &str = " a abbr acronym address area b bdo big blockquote br caption cite code col colgroup dd dfn div \
    dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li map ol p pre q samp small span strong sub sup table tbody td tfoot th \
    thead tr tt ul var ";

/// The attributes that any element may have.
const ATTRIBUTES: &str = " abbr accesskey align axis char charoff class colspan dir headers id lang rowspan scope span \
    style tabindex title valign width xml:lang ";

/// The attributes that an element may have besides.
const OWN_ATTRIBUTES: [(&str, &str); 11] = [
    ("a", " charset coords href hreflang name rel rev shape type "),
    ("area", " alt coords href nohref shape "),
    ("blockquote", " cite "),
    ("div", " xmlns "),
    ("img", " alt border height ismap longdesc src usemap "),
    ("map", " name "),
    ("pre", " space xml:space "),
    ("q", " cite "),
    ("table", " border cellpadding cellspacing frame rules summary "),
    ("td", " nowrap "),
    ("th", " nowrap "),
];

/// Whether the text is what a narrative may have.
pub(super) fn is_narrative(text: &str) -> bool {
    let text = text.trim();
    let mut reader = Reader { rest: text, open: Vec::new(), has_content: false };
    text.starts_with("<div") && reader.read().is_some() && reader.has_content
}

/// Reads a text from its start.
struct Reader<'t> {
    rest: &'t str,
    /// The names of the elements that have not ended.
    open: Vec<&'t str>,
    /// Whether there has been anything to see.
    has_content: bool,
}

impl<'t> Reader<'t> {
    /// Reads one element and what is in it, with nothing after it.
    fn read(&mut self) -> Option<()> {
        loop {
            if let Some(comment) = self.rest.strip_prefix("<!--") {
                self.rest = comment.split_once("-->")?.1;
            } else if let Some(end) = self.rest.strip_prefix("</") {
                let (name, rest) = end.split_once('>')?;
                self.rest = rest;
                (self.open.pop()? == name.trim_end()).then_some(())?;
            } else if let Some(start) = self.rest.strip_prefix('<') {
                self.rest = start;
                self.start_tag()?;
            } else {
                self.text()?;
            }
            if self.open.is_empty() {
                return self.rest.is_empty().then_some(());
            }
        }
    }

    /// Characters up to the next tag.
    fn text(&mut self) -> Option<()> {
        let (text, rest) = self.rest.split_at(self.rest.find('<')?);
        self.rest = rest;
        self.has_content |= !text.trim().is_empty();
        are_references_whole(text).then_some(())
    }

    fn start_tag(&mut self) -> Option<()> {
        let name = self.name()?;
        (has_word(ELEMENTS, name) && (name == "div" || !self.open.is_empty())).then_some(())?;
        self.has_content |= name == "img";
        loop {
            let spaced = self.rest.trim_start();
            let has_space = spaced.len() < self.rest.len();
            self.rest = spaced;
            if let Some(rest) = spaced.strip_prefix("/>") {
                self.rest = rest;
                return Some(());
            }
            if let Some(rest) = spaced.strip_prefix('>') {
                self.rest = rest;
                self.open.push(name);
                return Some(());
            }
            has_space.then_some(())?;
            self.attribute(name)?;
        }
    }

    fn attribute(&mut self, element: &str) -> Option<()> {
        let name = self.name()?;
        let own = OWN_ATTRIBUTES.iter().find(|(known, _)| *known == element).map_or("", |(_, names)| names);
        (has_word(ATTRIBUTES, name) || has_word(own, name)).then_some(())?;
        let value = self.rest.trim_start().strip_prefix('=')?.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, rest) = value[1..].split_once(quote)?;
        self.rest = rest;
        (!value.contains('<') && are_references_whole(value)).then_some(())
    }

    fn name(&mut self) -> Option<&'t str> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_');
        let length = self.rest.bytes().take_while(is_part).count();
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        (length > 0).then_some(name)
    }
}

/// Whether a name is among the words of a text, which has a space before and behind each of them.
fn has_word(words: &str, name: &str) -> bool {
    words.split_ascii_whitespace().any(|word| word == name)
}

/// Whether a name or a number and a semicolon follow each `&`.
fn are_references_whole(text: &str) -> bool {
    text.split('&').skip(1).all(|reference| {
        let Some((name, _)) = reference.split_once(';') else { return false };
        let (name, is_digit): (&str, fn(u8) -> bool) = match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix(['x', 'X']) {
                Some(digits) => (digits, |byte| byte.is_ascii_hexdigit()),
                None => (number, |byte| byte.is_ascii_digit()),
            },
            None => (name, |byte| byte.is_ascii_alphanumeric()),
        };
        !name.is_empty() && name.bytes().all(is_digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_legal(content: &str) -> bool {
        is_narrative(&format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{content}</div>"))
    }

    #[test]
    fn basic_formatting_is_legal() {
        for content in [
            "text",
            "<p>a <b>b</b><br/>c</p>",
            "<ul><li class='x'>a</li></ul>",
            "<table border=\"1\" width='100%'><tr><td colspan=\"2\" nowrap='nowrap'>a</td></tr></table>",
            "<img src=\"a.png\" alt='&lt;b&gt;'/>",
            "<a href=\"http://a?b=1&amp;c=2\" >a</a >",
            "a &nbsp; &#160; &#xA0; b > c",
            "<!-- a < b & c --> x",
        ] {
            assert!(is_legal(content), "{content}");
        }
        assert!(is_narrative(" <div>x</div>\n"));
    }

    #[test]
    fn all_else_is_not() {
        for content in [
            "",
            " \n",
            "<p> </p>",
            "<script>x</script>",
            "<p onclick='x'>x</p>",
            "<p href='x'>x</p>",
            "<p>x",
            "x</p>",
            "<p>x</b>",
            "<b><p>x</b></p>",
            "a & b",
            "a &b c;",
            "&#xyz;",
            "&;",
            "<p class=x>x</p>",
            "<p class='x>x</p>",
            "<p class='a' id='b'title='c'>x</p>",
            "<p class='<'>x</p>",
            "<p class>x</p>",
            "<!-- x",
            "< p>x</p>",
            "<P>x</P>",
            "</div><div>x",
        ] {
            assert!(!is_legal(content), "{content}");
        }
        for text in ["x", "<p>x</p>", "<div>x", "<div>x</div>y", "<div>x</div><div>x</div>", "<divx>x</divx>"]
        {
            assert!(!is_narrative(text), "{text}");
        }
    }
}
