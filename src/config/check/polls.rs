use std::collections::HashSet;

use indexmap::IndexMap;

use super::Check;
use crate::config::Pool;
use crate::config::file;
use crate::config::spanned::Spanned;
use crate::limit::Unit;
use crate::problem::Problem;
use crate::route::Table;

/// What polling may have of a pool that does not say, in hundredths. A guess: the other half is for what is no poll.
pub(super) const SHARE: u8 = 50;

impl Check {
    /// The part of a pool that what is polled may have, in hundredths.
    pub(super) fn poll_share(&mut self, written: Option<&Spanned<f64>>) -> u8 {
        let Some(written) = written else { return SHARE };
        let share = *written.get_ref() * 100.0;
        (1..=100).find(|&hundredths| (f64::from(hundredths) - share).abs() <= 0.5).unwrap_or_else(|| {
            let mend = "write which part of the pool what is polled may have, 0.01 to 1.0, as in 0.5 for half of it";
            self.problems.push(Problem::new("not a share", written.span(), "nothing, or more than all", mend));
            SHARE
        })
    }

    /// Only what is coalesced is known to be polled.
    pub(super) fn unused_poll_shares(
        &mut self,
        file: &IndexMap<String, Spanned<file::Pool>>,
        pools: &[Pool],
        table: &Table,
    ) {
        let coalesced = table.routes().filter(|(_, route)| route.coalesce.is_some());
        let counted = coalesced.flat_map(|(id, _)| table.charges(id)).map(|charge| &pools[charge.pool.0]);
        let counted = counted.filter(|pool| pool.limits.unit == Unit::Requests);
        let polled: HashSet<&str> = counted.map(|pool| &*pool.name).collect();
        for (_, pool) in file.iter().filter(|(name, _)| !polled.contains(&***name)) {
            if let Some(text) = &pool.get_ref().poll_share {
                let label = "no route with coalesce = true takes requests from it";
                let mend = "write coalesce = true on the route whose GETs are polled, or take it out";
                self.idle(Problem::new("poll_share where nothing is polled", text.span(), label, mend));
            }
        }
    }
}
