//! Whether a manifest's files will be gone before they are received, by the `Expires` of its status.

use std::time::Duration;

use super::status::ManifestPages;

/// What the server says of the end of its files, and how far their receiving has come.
#[derive(Debug)]
pub struct Expiry {
    /// As the server wrote it.
    expires: String,
    /// How long there is from the time the receiving began.
    left: Duration,
    files: u32,
    received: u32,
    warned: bool,
}

impl Expiry {
    /// None if the server says nothing.
    pub fn of(manifest: &ManifestPages) -> Option<Self> {
        let page = manifest.first_to_expire()?;
        let files = u32::try_from(manifest.files().count()).unwrap_or(u32::MAX);
        let (expires, left) = (page.expires.clone()?, page.expires_in?);
        Some(Self { expires, left, files, received: 0, warned: false })
    }

    /// Another file has been received, so long after the first was begun. Once, a warning for a person to read.
    #[must_use]
    pub fn received(&mut self, elapsed: Duration) -> Option<String> {
        self.received += 1;
        let expected = elapsed.saturating_mul(self.files) / self.received.max(1);
        if self.warned || expected <= self.left {
            return None;
        }
        self.warned = true;
        Some(format!(
            "the server keeps its files until {}, {} s from the first download, and all of them will take about {} s at \
             this rate: links that are gone by then are asked for anew, which some servers do not give",
            crate::outcome::one_line(&self.expires),
            self.left.as_secs(),
            expected.as_secs()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_comes_once_when_the_rate_is_too_low() {
        let expires = "Mon, 23 Nov 2026 19:12:54 GMT".to_owned();
        let mut expiry =
            Expiry { expires, left: Duration::from_secs(100), files: 10, received: 0, warned: false };
        assert_eq!(expiry.received(Duration::from_secs(10)), None, "a hundred seconds are just enough");
        let told = expiry.received(Duration::from_secs(21)).unwrap();
        insta::assert_snapshot!(told, @"the server keeps its files until Mon, 23 Nov 2026 19:12:54 GMT, 100 s from the first download, and all of them will take about 105 s at this rate: links that are gone by then are asked for anew, which some servers do not give");
        assert_eq!(expiry.received(Duration::from_secs(60)), None);
    }
}
