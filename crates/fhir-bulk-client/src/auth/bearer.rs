//! A bearer token ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)) that was got elsewhere: given, or in a file
//! that somebody keeps up to date.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;

use super::Secret;
use super::token::{Lifetime, Token, TokenSource};
use crate::error::{Error, ErrorKind};

/// How long a token of a file is used before the file is read again.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// A token that stays as it is.
pub(crate) struct Bearer(pub Secret);

impl TokenSource for Bearer {
    fn fetch(&self) -> BoxFuture<'_, Result<Token, Error>> {
        Box::pin(async { Token::new("Bearer", &self.0, Lifetime::Unlimited) })
    }

    fn renews(&self) -> bool {
        false
    }

    fn advice(&self) -> &'static str {
        "the token is wrong or has expired: pass a valid one (--bearer-token)"
    }
}

/// A token in a file.
pub(crate) struct BearerFile(pub PathBuf);

impl TokenSource for BearerFile {
    fn fetch(&self) -> BoxFuture<'_, Result<Token, Error>> {
        Box::pin(async {
            let read = tokio::fs::read_to_string(&self.0).await;
            let text = read.map_err(|error| {
                let what = format!("the token's file {} cannot be read: {error}", self.0.display());
                Error::new(ErrorKind::Config, what)
            })?;
            Token::new("Bearer", &Secret::new(text.trim()), Lifetime::Limited(Some(READ_AGAIN_AFTER)))
        })
    }

    fn renews(&self) -> bool {
        true
    }

    fn advice(&self) -> &'static str {
        "the token in the file is wrong or has expired, and the file has no other (--bearer-token-file)"
    }
}
