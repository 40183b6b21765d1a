//! URLs as they may be shown: in errors, logs and records that are not the raw data itself.

use url::Url;

/// `url` without what may be secret: no user, no password, no values of the query and no fragment.
///
/// The names of the query's parameters stay, because they tell what was asked; a signed URL's signature does not.
///
/// ```
/// let url = url::Url::parse("https://me:pw@ehr.example/poll?_jobId=17&sig=abc#x")?;
/// assert_eq!(fhir_bulk_client::redact(&url), "https://ehr.example/poll?_jobId=…&sig=…");
/// # Ok::<(), url::ParseError>(())
/// ```
pub fn redact(url: &Url) -> String {
    let mut shown = match url.host_str() {
        Some(host) => format!("{}://{host}", url.scheme()),
        None => format!("{}:", url.scheme()),
    };
    if let Some(port) = url.port() {
        shown.push_str(&format!(":{port}"));
    }
    shown.push_str(url.path());
    if let Some(query) = url.query() {
        // A parameter without `=` may itself be the secret.
        let names = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) => format!("{name}=…"),
            None => "…".to_owned(),
        });
        shown.push('?');
        shown.push_str(&names.collect::<Vec<_>>().join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_query_stay() {
        let shown = |url: &str| redact(&Url::parse(url).unwrap());
        assert_eq!(
            shown("https://u:p@s3.example:8443/b/k?X-Amz-Signature=f00&X-Amz-Date=1#f"),
            "https://s3.example:8443/b/k?X-Amz-Signature=…&X-Amz-Date=…"
        );
        assert_eq!(shown("http://127.0.0.1:8090/fhir/$export"), "http://127.0.0.1:8090/fhir/$export");
        assert_eq!(shown("https://h/f?c2VjcmV0"), "https://h/f?…");
        assert_eq!(shown("http://[::1]:80/x"), "http://[::1]/x");
    }
}
