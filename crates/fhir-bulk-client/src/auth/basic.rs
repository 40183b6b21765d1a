//! HTTP Basic ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)): not of the specification, but what test servers and
//! proxies in front of servers have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;

use super::Secret;
use super::token::{Lifetime, Token, TokenSource};
use crate::error::{Error, ErrorKind};

/// A user and a password.
pub(crate) struct Basic {
    pub user: String,
    pub password: Secret,
}

/// `user:password` as Basic sends it.
pub(crate) fn encoded(user: &str, password: &Secret) -> Secret {
    Secret::new(STANDARD.encode(format!("{user}:{}", password.expose())))
}

impl TokenSource for Basic {
    fn fetch(&self) -> BoxFuture<'_, Result<Token, Error>> {
        Box::pin(async {
            if self.user.contains(':') {
                return Err(Error::new(ErrorKind::Config, "a user of Basic authentication has no colon"));
            }
            let encoded = encoded(&self.user, &self.password);
            let mut token = Token::new("Basic", &encoded, Lifetime::Unlimited)?;
            if !self.password.expose().is_empty() {
                token.secrets.push(self.password.clone());
            }
            Ok(token)
        })
    }

    fn renews(&self) -> bool {
        false
    }

    fn advice(&self) -> &'static str {
        "the user or the password is wrong (--basic)"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_header_is_as_in_the_rfc() {
        let basic = |user: &str| Basic { user: user.into(), password: Secret::new("open sesame") };
        let token = basic("Aladdin").fetch().await.unwrap();
        assert_eq!(token.header, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(basic("a:b").fetch().await.is_err());
    }
}
