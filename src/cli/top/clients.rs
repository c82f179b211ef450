use super::counts;
use super::listing::{ListRow, Listing};
use crate::admin::{ClientStatus, Status};

/// What has come of each client's requests.
pub(super) fn listing(status: Option<&Status>) -> Listing {
    let clients = status.map_or(&[][..], |status| &status.clients);
    let waiting = |client: &str| {
        let pools = status.into_iter().flat_map(|status| &status.pools);
        let of_client = pools.flat_map(|pool| &pool.waiting_for).filter(|waits| waits.client == client);
        of_client.map(|waits| waits.requests).max().unwrap_or_default()
    };
    Listing {
        columns: counts::CLIENTS,
        sorts: counts::SORTS,
        rows: clients.iter().map(|client| row(client, waiting(&client.client))).collect(),
        empty: "No request has ended yet.",
    }
}

fn row(ClientStatus { client, name, counts }: &ClientStatus, waiting: usize) -> ListRow {
    counts::row(name.as_ref().unwrap_or(client), counts, format!("{waiting} wait now."))
}
