//! The token in use: got once, kept while it is good, renewed by one while the others wait.
//!
//! Invariant: at most one request for a token is on its way, however many downloads find at the same time that theirs
//! has expired.

use std::sync::{Mutex as Shared, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;

use super::{Grant, Secret};
use crate::error::{Error, ErrorKind};

/// How long a token is taken to be good if the authorization server does not say: what the specification recommends.
const USUAL_LIFETIME: Duration = Duration::from_secs(300);

/// A token is renewed this long before it expires, or a fifth of its lifetime if that is less.
const MARGIN: Duration = Duration::from_secs(60);

/// A token is used for so long at least, so that one with a lifetime of zero is not asked for with every request.
const LEAST_LIFETIME: Duration = Duration::from_secs(1);

/// How many tokens are remembered in order to take them out of what servers say.
const REMEMBERED: usize = 4;

/// A token as it was got.
pub(crate) struct Token {
    /// The value of the `Authorization` header.
    pub header: HeaderValue,
    /// What must not be shown: the token, or what else is in the header.
    pub secrets: Vec<Secret>,
    pub lifetime: Lifetime,
    pub grant: Option<Grant>,
}

/// How long a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Until the server refuses it.
    Unlimited,
    /// For so long, as far as is known.
    Limited(Option<Duration>),
}

impl Token {
    /// A token with this scheme, for example `Bearer`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if it is empty or has characters that a header cannot carry.
    pub(crate) fn new(scheme: &str, secret: &Secret, lifetime: Lifetime) -> Result<Self, Error> {
        let name = if scheme == "Basic" { "the user and password" } else { "the bearer token" };
        let unusable = |why: &str| Error::new(ErrorKind::Config, format!("{name} {why}"));
        if secret.expose().is_empty() {
            return Err(unusable("is empty"));
        }
        let mut header = HeaderValue::from_str(&format!("{scheme} {}", secret.expose())).map_err(|_| {
            unusable("has characters that a header cannot carry")
                .with_hint("a line end at the end of the token's file?")
        })?;
        header.set_sensitive(true);
        Ok(Self { header, secrets: vec![secret.clone()], lifetime, grant: None })
    }
}

/// Where tokens come from.
pub(crate) trait TokenSource: Send + Sync {
    /// Gets a token.
    fn fetch(&self) -> BoxFuture<'_, Result<Token, Error>>;

    /// Whether a token that was refused may be followed by another one.
    fn renews(&self) -> bool;

    /// What to do when the server does not accept the token.
    fn advice(&self) -> &'static str;
}

/// The token in use.
pub(crate) struct TokenCache {
    source: Box<dyn TokenSource>,
    current: Mutex<Option<Current>>,
    seen: Shared<Vec<Secret>>,
}

struct Current {
    header: HeaderValue,
    grant: Option<Grant>,
    /// From when on a new one is got.
    renew_at: Option<Instant>,
    /// From when on it is no longer good.
    expires_at: Option<Instant>,
}

impl TokenCache {
    pub(crate) fn new(source: Box<dyn TokenSource>) -> Self {
        Self { source, current: Mutex::default(), seen: Shared::default() }
    }

    /// The value of the `Authorization` header, of a token that is good for some time yet.
    ///
    /// # Errors
    /// As the source's, where there is no token that is still good.
    pub(crate) async fn current(&self) -> Result<HeaderValue, Error> {
        let mut current = self.current.lock().await;
        let now = Instant::now();
        if let Some(token) = current.as_ref().filter(|token| token.renew_at.is_none_or(|at| now < at)) {
            return Ok(token.header.clone());
        }
        match (self.fetch().await, &*current) {
            (Ok(token), _) => Ok(current.insert(token).header.clone()),
            (Err(error), Some(token)) if token.expires_at.is_some_and(|at| now < at) => {
                tracing::warn!(%error, "no new token: the old one is used while it is good");
                Ok(token.header.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Gets another token than `refused`, unless somebody has done so already. False if there is none.
    ///
    /// # Errors
    /// As the source's.
    pub(crate) async fn renew(&self, refused: &HeaderValue) -> Result<bool, Error> {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|token| token.header != refused) {
            return Ok(true);
        }
        if !self.source.renews() {
            return Ok(false);
        }
        let token = current.insert(self.fetch().await?);
        Ok(token.header != refused)
    }

    /// What the authorization server granted; none if the credentials are the token.
    ///
    /// # Errors
    /// As the source's.
    pub(crate) async fn grant(&self) -> Result<Option<Grant>, Error> {
        self.current().await?;
        Ok(self.current.lock().await.as_ref().and_then(|token| token.grant.clone()))
    }

    async fn fetch(&self) -> Result<Current, Error> {
        let Token { header, secrets, lifetime, grant } = self.source.fetch().await?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(secrets);
        let excess = seen.len().saturating_sub(REMEMBERED);
        seen.drain(..excess);
        let lifetime = match lifetime {
            Lifetime::Unlimited => None,
            Lifetime::Limited(lifetime) => Some(lifetime.unwrap_or(USUAL_LIFETIME).max(LEAST_LIFETIME)),
        };
        let now = Instant::now();
        let after = |span: Duration| now.checked_add(span);
        let renew_at = lifetime.and_then(|lifetime| after(lifetime - MARGIN.min(lifetime / 5)));
        Ok(Current { header, grant, renew_at, expires_at: lifetime.and_then(after) })
    }

    /// `text` without the tokens that were in use lately.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "[redacted]"))
    }

    pub(crate) fn advice(&self) -> &'static str {
        self.source.advice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Gives `Bearer token-1`, `Bearer token-2`, …
    struct Counting {
        fetched: AtomicU32,
        lifetime: Lifetime,
        last: u32,
    }

    impl TokenSource for Counting {
        fn fetch(&self) -> BoxFuture<'_, Result<Token, Error>> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let number = self.fetched.fetch_add(1, Ordering::Relaxed) + 1;
                if number > self.last {
                    return Err(Error::new(ErrorKind::TokenRefused, "no more"));
                }
                Token::new("Bearer", &Secret::new(format!("token-{number}")), self.lifetime)
            })
        }

        fn renews(&self) -> bool {
            true
        }

        fn advice(&self) -> &'static str {
            ""
        }
    }

    fn cache(lifetime: Lifetime, last: u32) -> TokenCache {
        TokenCache::new(Box::new(Counting { fetched: AtomicU32::new(0), lifetime, last }))
    }

    #[tokio::test]
    async fn a_token_is_got_once_however_many_ask_at_the_same_time() {
        let cache = cache(Lifetime::Limited(None), 9);
        let all = futures::future::join_all((0..20).map(|_| cache.current())).await;
        assert!(all.into_iter().all(|header| header.unwrap() == "Bearer token-1"));
    }

    #[tokio::test]
    async fn a_token_is_renewed_before_it_expires() {
        let cache = cache(Lifetime::Limited(Some(Duration::from_secs(100))), 9);
        assert_eq!(cache.current().await.unwrap(), "Bearer token-1");
        let (renew_in, expires_in) = {
            let current = cache.current.lock().await;
            let token = current.as_ref().unwrap();
            (token.renew_at.unwrap() - Instant::now(), token.expires_at.unwrap() - Instant::now())
        };
        assert!(renew_in <= Duration::from_secs(80) && expires_in > Duration::from_secs(98));
        cache.current.lock().await.as_mut().unwrap().renew_at = Some(Instant::now());
        assert_eq!(cache.current().await.unwrap(), "Bearer token-2");
    }

    #[tokio::test]
    async fn a_token_that_is_still_good_serves_while_no_new_one_is_to_be_had() {
        let cache = cache(Lifetime::Limited(Some(Duration::from_secs(100))), 1);
        cache.current().await.unwrap();
        cache.current.lock().await.as_mut().unwrap().renew_at = Some(Instant::now());
        assert_eq!(cache.current().await.unwrap(), "Bearer token-1");
        cache.current.lock().await.as_mut().unwrap().expires_at = Some(Instant::now());
        assert_eq!(cache.current().await.unwrap_err().kind(), ErrorKind::TokenRefused);
    }

    #[tokio::test]
    async fn a_lifetime_of_zero_does_not_ask_with_every_request() {
        let cache = cache(Lifetime::Limited(Some(Duration::ZERO)), 9);
        cache.current().await.unwrap();
        assert_eq!(cache.current().await.unwrap(), "Bearer token-1");
    }

    #[tokio::test]
    async fn many_refusals_of_one_token_renew_it_once() {
        let cache = cache(Lifetime::Unlimited, 9);
        let refused = cache.current().await.unwrap();
        let all = futures::future::join_all((0..20).map(|_| cache.renew(&refused))).await;
        assert!(all.into_iter().all(|renewed| renewed.unwrap()));
        assert_eq!(cache.current().await.unwrap(), "Bearer token-2");
    }

    #[tokio::test]
    async fn tokens_that_a_server_repeats_are_taken_out() {
        let cache = cache(Lifetime::Unlimited, 9);
        let refused = cache.current().await.unwrap();
        cache.renew(&refused).await.unwrap();
        assert_eq!(cache.scrub("token-1 is old, token-2 new"), "[redacted] is old, [redacted] new");
    }

    #[test]
    fn what_a_header_cannot_carry_is_refused_without_showing_it() {
        let token = |secret: &str| Token::new("Bearer", &Secret::new(secret), Lifetime::Unlimited);
        insta::assert_snapshot!(token("abc\n").err().unwrap(), @"the bearer token has characters that a header cannot carry. Hint: a line end at the end of the token's file?");
        insta::assert_snapshot!(token("").err().unwrap(), @"the bearer token is empty");
    }
}
