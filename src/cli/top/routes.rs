use super::counts;
use super::listing::{ListRow, Listing};
use crate::admin::{RouteStatus, Status};

/// What has come of the requests of each kind.
pub(super) fn listing(status: Option<&Status>) -> Listing {
    let routes = status.map_or(&[][..], |status| &status.routes);
    Listing {
        columns: counts::ROUTES,
        sorts: counts::SORTS,
        rows: routes.iter().map(row).collect(),
        empty: "No request has ended yet.",
    }
}

fn row(RouteStatus { route, pools, counts }: &RouteStatus) -> ListRow {
    let pools = if pools.is_empty() { "no pool".to_owned() } else { pools.join(", ") };
    counts::row(route, counts, format!("Takes from {pools}."))
}
