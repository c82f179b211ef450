use std::time::Duration;

use super::Check;
use crate::config::file::{self, Text};
use crate::problem::Problem;
use crate::route::{Coalescing, RouteId, Table, Template};

/// An answer older than that is news to nobody, and would only be kept. A guess.
const LONGEST: Duration = Duration::from_mins(1);

impl Check {
    /// Sets on each route how identical GETs share a call.
    pub(super) fn coalesce(&mut self, file: &[file::Route], table: &mut Table) {
        for route in file {
            if let Some((id, coalescing)) = self.route_coalesce(route, table) {
                table.route_mut(id).coalesce = Some(coalescing);
            }
        }
    }

    fn route_coalesce(&mut self, file: &file::Route, table: &Table) -> Option<(RouteId, Coalescing)> {
        let reuse = file.reuse.as_ref().and_then(|text| self.reuse(text));
        let Some(written) = file.coalesce.as_ref().filter(|written| *written.get_ref()) else {
            let reuse = file.reuse.as_ref().map(|text| ("reuse without coalesce", text.span()));
            let hold = file.hold.as_ref().filter(|hold| *hold.get_ref());
            let hold = hold.map(|hold| ("hold without coalesce", hold.span()));
            for (what, at) in reuse.into_iter().chain(hold) {
                let mend = "write coalesce = true beside it, or take it out";
                self.idle(Problem::new(what, at, "has no effect", mend));
            }
            return None;
        };
        let template: Template = file.matches.as_ref().parse().ok()?;
        if !template.takes("GET") {
            let label = "only GETs are shared, and none goes by this route";
            self.idle(Problem::new("nothing to coalesce", written.span(), label, "take it out"));
        }
        let (id, _) = table.routes().find(|(_, route)| route.name == template.to_string())?;
        let hold = file.hold.as_ref().is_some_and(|hold| *hold.get_ref());
        Some((id, Coalescing { reuse: reuse.unwrap_or_default(), hold }))
    }

    fn reuse(&mut self, text: &Text) -> Option<Duration> {
        let reuse = self.bounded_time(Some(text))?;
        if reuse > LONGEST {
            let mend = "write how old an answer may be, as in \"500ms\"";
            self.problems.push(Problem::new("an answer of long ago", text.span(), "longer than a minute", mend));
        }
        Some(reuse)
    }
}
