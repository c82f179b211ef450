use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::other::{ForOther, Other};
use super::{Explainer, Sketch};
use crate::admin::status::Status;
use crate::route::{Ask, KeyPart};

/// How many others are looked at. A guess: as many as a page shows.
const MOST: usize = 8;

/// How a client's label begins; its digits are those of its account, where it sends nothing but a credential.
const LABEL: &str = "client-";

impl Explainer {
    /// How the request would fare for each client that waits where it would, or with each account that has used what it
    /// would take; who waits most comes first. `status_for` is the status for a client with this label.
    pub(in crate::admin) fn for_others(
        &self,
        sketch: &Sketch<'_>,
        status: &Status,
        status_for: impl Fn(&str) -> Status,
    ) -> Vec<ForOther> {
        let mut others: Vec<(Other, usize)> = self.others(sketch, status).into_iter().collect();
        others.sort_by_key(|&(_, waiting)| Reverse(waiting));
        let others = others.into_iter().take(MOST).filter_map(|(other, waiting)| {
            let own = other.client.as_deref().map(&status_for);
            let now = self.explain_for(sketch, Some(own.as_ref().unwrap_or(status)), &other).now?;
            Some(ForOther { client: other.client, account: other.account, waiting, now })
        });
        others.collect()
    }

    /// Those who are there, and how many requests of theirs wait.
    fn others(&self, sketch: &Sketch<'_>, status: &Status) -> BTreeMap<Other, usize> {
        let found = self.routes.find(&sketch.method, sketch.path_alone());
        let mut others = BTreeMap::new();
        for ask in self.routes.asks(&found, sketch) {
            let pool = &self.pools[ask.pool.0];
            let account = self.account_at(&ask);
            for known in status.pools.iter().filter(|known| known.name == pool.name) {
                let key = known.key.as_deref();
                let its_account = account.and_then(|at| key?.split(' ').nth(at)).map(str::to_owned);
                if key
                    != self
                        .with_account(ask.clone(), &Other { client: None, account: its_account.clone() })
                        .key
                        .as_deref()
                {
                    continue;
                }
                for waits in &known.waiting_for {
                    let other = Other { client: Some(waits.client.clone()), account: its_account.clone() };
                    let most = others.entry(other).or_default();
                    *most = waits.requests.max(*most);
                }
                if let (Some(account), true) = (its_account, known.waiting_for.is_empty()) {
                    let label = format!("{LABEL}{account}");
                    let client = status.clients.iter().any(|client| client.client == label).then_some(label);
                    others.entry(Other { client, account: Some(account) }).or_default();
                }
            }
        }
        others
    }

    /// The ask with another account in its key, if the key has one.
    pub(super) fn with_account(&self, ask: Ask, other: &Other) -> Ask {
        let (Some(at), Some(account), Some(key)) = (self.account_at(&ask), &other.account, &ask.key) else {
            return ask;
        };
        let parts = key.split(' ').enumerate().map(|(index, part)| if index == at { account } else { part });
        let key = parts.collect::<Vec<_>>().join(" ");
        Ask { key: Some(key.into()), ..ask }
    }

    /// Where the account stands in the key of what is asked.
    fn account_at(&self, ask: &Ask) -> Option<usize> {
        self.pools[ask.pool.0].key.iter().position(|part| *part == KeyPart::Account)
    }
}
