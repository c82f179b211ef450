use std::borrow::Cow;

use crate::credential;
use crate::fingerprint::Fingerprint;

/// How many values tell who pays: the authorization, another key, the organization and the project.
pub(super) const ACCOUNT_PARTS: usize = 4;

/// The fingerprint of an account, from the values of what tells it. It is that of the values, but for a token that may
/// give way to another one: its holder stands for that.
#[must_use]
pub fn account_fingerprint(values: &[u8]) -> Fingerprint {
    let mut lines = values.splitn(ACCOUNT_PARTS, |&byte| byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let [authorization, key, organization, project] = [next(), next(), next(), next()];
    match credential::holder(authorization, organization, project) {
        Cow::Borrowed(_) => Fingerprint::of(values),
        Cow::Owned(holder) => Fingerprint::of(&[&holder, key, organization, project].join(&b'\n')),
    }
}
