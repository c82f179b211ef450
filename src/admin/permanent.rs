//! The lines of configuration that make what was found out permanent.

use std::num::NonZeroU32;
use std::time::Duration;

use super::config_view::ConfigView;
use super::diagnosis::CauseName;
use super::estimate::{CountedUnit, FoundLimit, ScopeName};
use super::pool::PoolStatus;
use crate::limit::Rate;
use crate::route::{RouteId, Weight};

/// The TOML that makes the limit found at a pool instance permanent: a `[pools.…]` table and, where the limit is not the
/// pool's, the `[[routes]]` that take from it. Nothing where there is nothing to write down.
pub(super) fn permanent(config: &ConfigView, pool: &PoolStatus) -> Option<String> {
    let estimate = &pool.estimate;
    let is_found = matches!(
        estimate.case,
        CauseName::LowerLimit | CauseName::InFlight | CauseName::Bursts | CauseName::ConfiguredTooLow
    );
    let limit = estimate.limit.filter(|_| is_found)?;
    let is_implicit = config.pools.iter().any(|known| known.name == pool.name && known.implicit);
    match estimate.scope.kind {
        ScopeName::Pool if is_implicit => of_endpoint(pool, limit),
        ScopeName::Pool => of_pool(pool, limit),
        ScopeName::Route => {
            let route = estimate.scope.route.as_deref()?;
            let name = slug(route);
            let (id, _) = config.routes.routes().find(|(_, known)| known.name == route)?;
            Some(format!("{}\n{}", table(&name, &limits(limit)?, None), takes(config, id, &name)))
        }
        ScopeName::Key => of_key(config, pool, limit),
        // A limit over all pools needs a pool that every route names.
        ScopeName::Upstream => None,
    }
}

/// A limit of the pool as it is configured. Its other windows stay.
fn of_pool(pool: &PoolStatus, limit: FoundLimit) -> Option<String> {
    let mut lines = limits(limit)?;
    if let (Some(window_ms), CountedUnit::Requests | CountedUnit::Tokens) = (limit.window_ms, limit.counts) {
        let others = pool.limits.iter().filter(|other| other.window_ms != window_ms).map(|other| &other.limit);
        let all = others.map(|other| format!("{other:?}")).collect::<Vec<_>>().join(", ");
        if !all.is_empty() {
            lines = lines.replace("\"]", &format!("\", {all}]"));
        }
    }
    if pool.estimate.case == CauseName::Bursts {
        lines.push_str("\nshape = \"smooth\"");
    }
    Some(table(&pool.name, &lines, None))
}

/// A limit of an endpoint that no pool has yet. Its key is the endpoint, with a `*` for whatever looks like an id.
fn of_endpoint(pool: &PoolStatus, limit: FoundLimit) -> Option<String> {
    let endpoint = pool.key.as_deref()?.split(' ').next()?;
    let (method, path) = endpoint.split_once(':')?;
    let mut ids = 0;
    let mut segment = |segment: &str| {
        ids += usize::from(segment == "*");
        if segment == "*" { format!("{{id{ids}}}") } else { segment.to_owned() }
    };
    let path = path.split('/').map(&mut segment).collect::<Vec<_>>().join("/");
    let name = slug(endpoint);
    let key = Some("account");
    Some(format!(
        "{}\n[[routes]]\nmatch = \"{method} {path}\"\npools = [\"{name}\"]\n",
        table(&name, &limits(limit)?, key)
    ))
}

/// A limit that each value of a key has.
fn of_key(config: &ConfigView, pool: &PoolStatus, limit: FoundLimit) -> Option<String> {
    let key = pool.estimate.scope.key.as_deref()?;
    let name = format!("{}-per-{}", pool.name, slug(key));
    let param = key.strip_prefix("path.").map(|param| format!("{{{param}}}"));
    let takes_it = |route: &str| {
        pool.routes.iter().any(|name| name == route)
            && param.as_ref().is_none_or(|param| route.contains(param.as_str()))
    };
    let routes = config.routes.routes().filter(|(_, route)| takes_it(&route.name));
    let routes: Vec<String> = routes.map(|(id, _)| takes(config, id, &name)).collect();
    let table = table(&name, &limits(limit)?, Some(key));
    (!routes.is_empty()).then(|| format!("{table}\n{}", routes.join("\n")))
}

fn table(name: &str, limits: &str, key: Option<&str>) -> String {
    let key = key.map_or(String::new(), |key| format!("key = [\"{key}\"]\n"));
    format!("[pools.{name}]\n{limits}\n{key}")
}

/// The limit as a setting of a pool.
fn limits(FoundLimit { max, window_ms, counts }: FoundLimit) -> Option<String> {
    let rate = |unit: &str| {
        let amount = NonZeroU32::new(u32::try_from(max).ok()?)?;
        let rate = Rate::new(amount, Duration::from_millis(window_ms?))?;
        Some(format!("{unit} = [\"{rate}\"]"))
    };
    match counts {
        CountedUnit::Requests => rate("requests"),
        CountedUnit::Tokens => rate("tokens"),
        CountedUnit::InFlight => Some(format!("in_flight = {}", max.max(1))),
    }
}

/// The route with one more pool.
fn takes(config: &ConfigView, route: RouteId, more: &str) -> String {
    let charges = config.routes.charges(route).iter().filter(|charge| charge.weight != Weight::Tokens);
    let named = charges.filter(|charge| !config.pools[charge.pool.0].implicit).map(|charge| {
        let name = &config.pools[charge.pool.0].name;
        match &charge.weight {
            Weight::Fixed(cost) if cost.get() == 1 => name.clone(),
            weight => format!("{name}:{weight}"),
        }
    });
    let mut pools: Vec<String> = named.chain([more.to_owned()]).map(|pool| format!("{pool:?}")).collect();
    pools.dedup();
    format!("[[routes]]\nmatch = \"{}\"\npools = [{}]\n", config.routes.route(route).name, pools.join(", "))
}

/// A name as a pool may have it.
fn slug(text: &str) -> String {
    let letters =
        text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { ' ' });
    letters.collect::<String>().split_whitespace().collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::AdminState;
    use crate::admin::estimate::ScopeStatus;
    use crate::config::{Config, DEFAULT, Source};
    use crate::gate::Gate;

    /// The lines for a limit that was found at this pool of the built-in configuration; `check` must accept them.
    fn lines(name: &str, key: Option<&str>, case: CauseName, limit: FoundLimit, scope: ScopeStatus) -> String {
        let config = Config::parse(&Source::BuiltIn, DEFAULT).expect("it is valid");
        let admin = AdminState::new(&config, Gate::start(&config).expect("a gate"));
        let view = ConfigView::new(&config);
        let mut pool = admin.status().pools.swap_remove(0);
        let at = config.pools.iter().position(|pool| pool.name == name).expect(name);
        (pool.name, pool.key, pool.routes) = (name.to_owned(), key.map(str::to_owned), view.routes_of[at].clone());
        pool.limits.clear();
        (pool.estimate.case, pool.estimate.limit, pool.estimate.scope) = (case, Some(limit), scope);
        let lines = permanent(&view, &pool).expect("there is something to write down");
        if let Err(error) = Config::parse(&Source::Text("advice.toml".to_owned()), &lines) {
            panic!("{error}\nin\n{lines}");
        }
        lines
    }

    fn scope(kind: ScopeName, route: Option<&str>, key: Option<&str>) -> ScopeStatus {
        ScopeStatus { kind, route: route.map(str::to_owned), key: key.map(str::to_owned) }
    }

    const A_MINUTE: FoundLimit = FoundLimit { max: 180, window_ms: Some(60_000), counts: CountedUnit::Requests };
    const AT_ONCE: FoundLimit = FoundLimit { max: 10, window_ms: None, counts: CountedUnit::InFlight };

    #[tokio::test]
    async fn lower_limit_of_a_pool_is_one_table() {
        let lines = lines("assistants-post", None, CauseName::LowerLimit, A_MINUTE, scope(ScopeName::Pool, None, None));
        assert_eq!(lines, "[pools.assistants-post]\nrequests = [\"180/min\"]\n");
    }

    #[tokio::test]
    async fn token_limit_of_models_keeps_their_requests() {
        let limit = FoundLimit { counts: CountedUnit::Tokens, ..A_MINUTE };
        let lines = lines("models", Some("gpt-4o -"), CauseName::LowerLimit, limit, scope(ScopeName::Pool, None, None));
        assert_eq!(lines, "[pools.models]\ntokens = [\"180/min\"]\n");
    }

    #[tokio::test]
    async fn refused_bursts_ask_for_an_even_pace() {
        let lines = lines("assistants-post", None, CauseName::Bursts, A_MINUTE, scope(ScopeName::Pool, None, None));
        assert_eq!(lines, "[pools.assistants-post]\nrequests = [\"180/min\"]\nshape = \"smooth\"\n");
    }

    #[tokio::test]
    async fn limit_of_a_route_gets_a_pool_and_keeps_the_other_pools() {
        let route = "POST,PUT,PATCH /v1/threads/{*rest}";
        let config = Config::parse(&Source::BuiltIn, DEFAULT).expect("it is valid");
        assert!(config.routes.routes().any(|(_, known)| known.name == route), "the route is built in");
        let scope = scope(ScopeName::Route, Some(route), None);
        let lines = lines("assistants-post", None, CauseName::LowerLimit, A_MINUTE, scope);
        let expected = "[pools.post-put-patch-v1-threads-rest]\nrequests = [\"180/min\"]\n\n[[routes]]\n\
                        match = \"POST,PUT,PATCH /v1/threads/{*rest}\"\n\
                        pools = [\"assistants-post\", \"post-put-patch-v1-threads-rest\"]\n";
        assert_eq!(lines, expected);
    }

    #[tokio::test]
    async fn limit_of_each_key_is_named_by_the_routes_that_have_it() {
        let scope = scope(ScopeName::Key, None, Some("path.thread_id"));
        let lines = lines("assistants-post", None, CauseName::InFlight, AT_ONCE, scope);
        let table =
            "[pools.assistants-post-per-path-thread-id]\nin_flight = 10\nkey = [\"path.thread_id\"]\n\n[[routes]]\n";
        assert!(lines.starts_with(table), "{lines}");
        assert!(lines.matches("{thread_id}").count() > 0 && !lines.contains("{*rest}"), "{lines}");
    }

    #[tokio::test]
    async fn endpoint_without_a_pool_gets_one() {
        let key = Some("POST:/v1/things/*/parts -");
        let scope = scope(ScopeName::Pool, None, None);
        let lines = lines("learned", key, CauseName::LowerLimit, A_MINUTE, scope);
        let expected = "[pools.post-v1-things-parts]\nrequests = [\"180/min\"]\nkey = [\"account\"]\n\n[[routes]]\n\
                        match = \"POST /v1/things/{id1}/parts\"\npools = [\"post-v1-things-parts\"]\n";
        assert_eq!(lines, expected);
    }
}
