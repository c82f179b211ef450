//! Small tables, and every small request, looked at one by one.

use proptest::prelude::*;

use crate::route::{Priority, RouteId, Table, Template};

/// Templates that can stand in one table, which has them in this order behind the default route.
pub(super) type Templates = Vec<String>;

/// The first of these are named in templates.
const SEGMENTS: [&str; 3] = ["a", "b", "other"];
const METHODS: [&str; 4] = ["GET", "POST", "HEAD", "PUT"];

/// The longest template has four segments.
const LONGEST: usize = 5;

pub(super) fn templates() -> impl Strategy<Value = Templates> {
    let methods = prop::sample::select(vec!["GET", "POST", "HEAD", "GET,POST", "HEAD,POST", "*"]);
    let segments = prop::collection::vec(prop::sample::select(vec!["a", "b", "{}", "A"]), 0..4);
    let template = (methods, segments, any::<bool>()).prop_map(|(methods, segments, rest)| {
        let name = |(at, segment): (usize, &str)| format!("/{}", segment.replace("{}", &format!("{{p{at}}}")));
        let path: String = segments.into_iter().enumerate().map(name).collect();
        let rest = if rest || path.is_empty() { "/{*rest}" } else { "" };
        format!("{methods} {path}{rest}")
    });
    prop::collection::vec(template, 1..9).prop_map(without_ties)
}

fn without_ties(templates: Templates) -> Templates {
    let mut table = Table::default();
    let mut is_new = |text: &String| table.insert(&parsed(text), Vec::new(), Priority::Normal).is_ok();
    templates.into_iter().filter(|text| is_new(text)).collect()
}

pub(super) fn table(templates: &[String]) -> Table {
    let mut table = Table::default();
    for text in templates {
        table.insert(&parsed(text), Vec::new(), Priority::Normal).expect("no tie");
    }
    table
}

fn parsed(text: &str) -> Template {
    text.parse().expect(text)
}

/// Every small request.
pub(super) fn requests() -> Vec<(&'static str, String)> {
    let mut paths = vec![String::new()];
    let mut last = paths.clone();
    for _ in 0..LONGEST {
        last = last.iter().flat_map(|path| SEGMENTS.map(|segment| format!("{path}/{segment}"))).collect();
        paths.extend(last.clone());
    }
    let paths = paths.into_iter().map(|path| if path.is_empty() { "/".to_owned() } else { path });
    paths.flat_map(|path| METHODS.map(|method| (method, path.clone()))).collect()
}

/// Whether a template is written for a request, as one would say who reads it.
pub(super) fn is_for(template: &str, method: &str, path: &str) -> bool {
    let (methods, template) = template.split_once(' ').expect("a template");
    let is_meant = |name: &str| name == "*" || name == method || (name == "GET" && method == "HEAD");
    methods.split(',').any(is_meant) && is_path(&split(template), &split(path))
}

fn is_path(template: &[&str], path: &[&str]) -> bool {
    match (template.split_first(), path.split_first()) {
        (Some((first, _)), _) if first.starts_with("{*") => true,
        (Some((first, template)), Some((segment, path))) => {
            (first.starts_with('{') || first.to_lowercase() == *segment) && is_path(template, path)
        }
        (rest, of_path) => rest.is_none() && of_path.is_none(),
    }
}

fn split(path: &str) -> Vec<&str> {
    path.split('/').filter(|segment| !segment.is_empty()).collect()
}

/// The routes that are written for a request, by their order.
pub(super) fn matching(templates: &[String], method: &str, path: &str) -> Vec<RouteId> {
    let numbered = templates.iter().enumerate();
    numbered.filter(|(_, text)| is_for(text, method, path)).map(|(index, _)| RouteId(index + 1)).collect()
}
