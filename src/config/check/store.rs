use super::Check;
use crate::config::file::{self, ColdStart};
use crate::config::{Pool, StoreConfig, StorePath};
use crate::limit::Share;
use crate::problem::Problem;

impl Check {
    /// Each pool has this part of its limits, and of what the upstream says of them.
    pub(super) fn share_out(pools: &mut [Pool], share: Share) {
        if !share.is_whole() {
            pools.iter_mut().for_each(|pool| pool.limits = std::mem::take(&mut pool.limits).shared(share));
        }
    }

    pub(super) fn replica_share(&mut self, file: &file::Replicas) -> Share {
        self.parsed(file.share.as_ref(), "not a share", "").unwrap_or_default()
    }

    pub(super) fn store(&mut self, file: &file::Store) -> StoreConfig {
        let path = file.path.as_ref().map_or(StorePath::Usual, |text| match text.as_ref().trim() {
            "off" => StorePath::Off,
            "" => {
                let mend = "write a file, as in \"/var/lib/tidegate/state.json\", or \"off\"; or take it out, for the usual one";
                self.problems.push(Problem::new("no path", text.span(), "names nothing", mend));
                StorePath::Off
            }
            _ => StorePath::File(text.as_ref().into()),
        });
        StoreConfig { path, starts_full: file.cold == Some(ColdStart::Full) }
    }
}
