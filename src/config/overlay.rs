//! The built-in configuration under the file: the file changes the pools and routes that it names, and the others stay.

use std::borrow::Cow;
use std::mem;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use crate::route::Template;

/// Puts the built-in pools and routes under those of the file.
///
/// A pool of the file takes the keys that it does not write from the built-in pool of its name. A route does the same with
/// the built-in route that matches the same requests, and wins over it.
pub(super) fn overlay<'t>(file: &mut DeTable<'t>, built_in: DeTable<'t>) {
    for (name, table) in built_in {
        let place = match &**name.get_ref() {
            "pools" | "routes" => file.entry(name),
            _ => continue,
        };
        match (place.or_insert_with(|| empty_as(&table)).get_mut(), table.into_inner()) {
            (DeValue::Table(pools), DeValue::Table(built_in)) => overlay_pools(pools, built_in),
            (DeValue::Array(routes), DeValue::Array(built_in)) => {
                let own = mem::replace(routes, DeArray::new()).into_iter().collect();
                *routes = overlay_routes(own, built_in.into_iter().collect()).into_iter().collect();
            }
            // What is no table or list there is an error, which is said later.
            _ => {}
        }
    }
}

/// Which of the built-in routes match requests that a route matches as well, and are no less specific.
pub(super) fn bases<'b>(route: &DeValue<'_>, built_in: impl Iterator<Item = &'b DeValue<'b>>) -> Vec<usize> {
    let Some(template) = template(route) else { return Vec::new() };
    let is_base = |other: &DeValue<'_>| {
        self::template(other).is_some_and(|other| other.without(&template).as_ref() != Some(&other))
    };
    built_in.enumerate().filter(|(_, other)| is_base(other)).map(|(index, _)| index).collect()
}

/// What a route matches, if that can be read.
pub(super) fn template(route: &DeValue<'_>) -> Option<Template> {
    route.as_table()?.get("match")?.get_ref().as_str()?.parse().ok()
}

fn overlay_pools<'t>(pools: &mut DeTable<'t>, built_in: DeTable<'t>) {
    let mut own = mem::take(pools);
    for (name, pool) in built_in {
        match own.remove_entry(&**name.get_ref()) {
            Some((name, mut changed)) => {
                inherit(changed.get_mut(), pool.into_inner());
                pools.insert(name, changed);
            }
            None => drop(pools.insert(name, pool)),
        }
    }
    pools.extend(own);
}

/// A route that has several built-in ones under it takes nothing from any, as it cannot be said from which.
fn overlay_routes<'t>(
    mut own: Vec<Spanned<DeValue<'t>>>,
    built_in: Vec<Spanned<DeValue<'t>>>,
) -> Vec<Spanned<DeValue<'t>>> {
    let bases: Vec<Vec<usize>> =
        own.iter().map(|route| bases(route.get_ref(), built_in.iter().map(Spanned::get_ref))).collect();
    for (route, bases) in own.iter_mut().zip(&bases) {
        if let [base] = bases[..] {
            inherit(route.get_mut(), built_in[base].get_ref().clone());
        }
    }
    let mut left = built_in;
    left.retain_mut(|route| own.iter().all(|other| leave(route.get_mut(), other.get_ref())));
    left.extend(own);
    left
}

/// Takes out of a built-in route what goes by another one. Whether anything is left of it.
fn leave(route: &mut DeValue<'_>, other: &DeValue<'_>) -> bool {
    let (Some(mine), Some(other)) = (template(route), template(other)) else { return true };
    let Some(left) = mine.without(&other) else { return false };
    if left != mine
        && let DeValue::Table(route) = route
        && let Some(text) = route.get_mut("match")
    {
        *text.get_mut() = DeValue::String(Cow::Owned(left.to_string()));
    }
    true
}

fn inherit<'t>(table: &mut DeValue<'t>, from: DeValue<'t>) {
    if let (DeValue::Table(table), DeValue::Table(from)) = (table, from) {
        for (key, value) in from {
            table.entry(key).or_insert(value);
        }
    }
}

fn empty_as<'t>(value: &Spanned<DeValue<'t>>) -> Spanned<DeValue<'t>> {
    let empty = match value.get_ref() {
        DeValue::Array(_) => DeValue::Array(DeArray::new()),
        _ => DeValue::Table(DeTable::new()),
    };
    Spanned::new(value.span(), empty)
}
