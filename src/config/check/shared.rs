//! `[store] url`: the limits are shared with other gates.

use std::time::Duration;

use super::Check;
use crate::config::file::{self, Outage};
use crate::config::spanned::Spanned;
use crate::config::{Pool, SharedStore, StorePassword};
use crate::limit::{Shape, Share};
use crate::problem::Problem;
use crate::replica::OnOutage;

/// The group of gates that do not name one.
const GROUP: &str = "default";

/// A burst must last so long at its pace: gates cannot hand single places to each other any faster.
const BRIEFEST: Duration = Duration::from_secs(1);

impl Check {
    /// The store, if limits are shared; `share` is the part that is this gate's without it.
    pub(super) fn shared_store(
        &mut self,
        file: &file::Store,
        share: Share,
        place: impl Fn(usize) -> String,
    ) -> Option<SharedStore> {
        let Some(text) = &file.url else {
            self.unused_without_url(file);
            return None;
        };
        let url = text.as_ref().parse().map_err(|error: crate::config::InvalidStoreUrl| {
            // The URL itself may hold a password: it is not repeated.
            self.problems.push(Problem::new("no store", text.span(), error.to_string(), "write it without a password"));
        });
        let password = match (&file.password_env, &file.password_file) {
            (Some(_), Some(second)) => {
                let mend = "write password_env or password_file, not both";
                self.problems.push(Problem::new("two passwords", second.span(), "the other one is written, too", mend));
                None
            }
            (Some(name), None) => self.key_variable(name, place).map(StorePassword::Variable),
            (None, Some(path)) => Some(StorePassword::File(path.as_ref().into())),
            (None, None) => None,
        };
        let group = file.group.as_ref().map_or(GROUP, |group| group.as_ref());
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
        if let Some(text) = file.group.as_ref().filter(|_| group.is_empty() || !group.chars().all(is_plain)) {
            let mend = "write letters, digits, - and _, as in \"production\"";
            self.problems.push(Problem::new(
                "no name of a group",
                text.span(),
                "it is part of keys in the store",
                mend,
            ));
        }
        let on_outage = self.on_outage(file, share);
        Some(SharedStore { url: url.ok()?, password, group: group.to_owned(), on_outage, share })
    }

    fn on_outage(&mut self, file: &file::Store, share: Share) -> OnOutage {
        let default = if share.is_whole() { Outage::Closed } else { Outage::Share };
        match file.on_outage.as_ref().map_or(default, |written| *written.get_ref()) {
            Outage::Share if share.is_whole() => {
                let span = file.on_outage.as_ref().map_or(0..0, Spanned::span);
                let mend = "write this gate's part, as in share = \"1/3\", in [replicas]";
                self.problems.push(Problem::new("a share that is not written", span, "which part is it?", mend));
                OnOutage::Closed
            }
            Outage::Share => OnOutage::Share,
            Outage::Closed => OnOutage::Closed,
            Outage::Open => OnOutage::Open,
        }
    }

    fn unused_without_url(&mut self, file: &file::Store) {
        let texts =
            [("password_env", &file.password_env), ("password_file", &file.password_file), ("group", &file.group)];
        let written = texts.iter().filter_map(|(name, text)| Some((*name, text.as_ref()?.span())));
        let outage = file.on_outage.iter().map(|outage| ("on_outage", outage.span()));
        for (name, span) in written.chain(outage) {
            let (title, mend) =
                (format!("{name} without url"), "write url, as in \"redis://host:6379\", or take it out");
            self.problems.push(Problem::new(title, span, "no store is named that it could be of", mend));
        }
    }

    /// A pool whose burst is too brief to be shared.
    pub(super) fn shared_bursts(&mut self, file: &file::File, pools: &[Pool]) {
        for pool in pools {
            let Shape::Smooth { burst } = pool.limits.shape else { continue };
            let is_brief = pool.limits.requests.iter().any(|rate| rate.interval() * burst.get() < BRIEFEST);
            if let Some(written) = file.pools.get(&pool.name).filter(|_| is_brief) {
                let label =
                    "its burst lasts less than a second at this pace, too brief for gates to share through [store] url";
                let mend = "write a larger burst, or shape = \"window\"";
                self.problems.push(Problem::new("a burst that cannot be shared", written.span(), label, mend));
            }
        }
    }
}
