use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use toml::Spanned;

use super::Check;
use crate::config::file::{self, Text};
use crate::config::report::Problem;
use crate::config::{Coalesce, Pool};
use crate::limit::Unit;
use crate::route::{RouteId, Table};

/// What polling may have of a pool that does not say, in hundredths.
pub(super) const SHARE: u8 = 50;

impl Check {
    /// The part of a pool that what is polled may have, in hundredths.
    pub(super) fn poll_share(&mut self, text: Option<&Text>) -> u8 {
        let Some(text) = text else { return SHARE };
        let said = text.as_ref().strip_suffix('%').and_then(|number| number.trim_end().parse().ok());
        said.filter(|share| (1..=100).contains(share)).unwrap_or_else(|| {
            let label = "the part of the pool that what is polled may have";
            let mend = "write a whole number from 1 to 100 and a %, as in \"50%\"";
            self.problems.push(Problem::new(format!("not a share: {:?}", text.as_ref()), text.span(), label, mend));
            SHARE
        })
    }

    /// Only what is coalesced is known to be polled.
    pub(super) fn unused_poll_shares(
        &mut self,
        file: &IndexMap<String, Spanned<file::Pool>>,
        pools: &[Pool],
        table: &Table,
        coalesce: &HashMap<RouteId, Coalesce>,
    ) {
        let counted = coalesce.keys().flat_map(|&id| table.charges(id)).map(|charge| &pools[charge.pool.0]);
        let counted = counted.filter(|pool| pool.limits.unit == Unit::Requests);
        let polled: HashSet<&str> = counted.map(|pool| &*pool.name).collect();
        for (_, pool) in file.iter().filter(|(name, _)| !polled.contains(&***name)) {
            if let Some(text) = &pool.get_ref().poll_share {
                let label = "no route with coalesce = true takes requests from it";
                let mend = "write coalesce = true on the route whose GETs are polled, or take it out";
                self.problems.push(Problem::new("poll_share where nothing is polled", text.span(), label, mend));
            }
        }
    }
}
