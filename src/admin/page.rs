//! The page that people look at: files that are in the binary, so that it works without a network.

use axum::Router;
use axum::http::HeaderName;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::routing::get;

/// A file of the page, as it is addressed, and what is in it.
type Asset = (&'static str, &'static str);

macro_rules! files {
    ($($path:literal),+ $(,)?) => { [$(($path, include_str!(concat!("page/", $path)))),+] };
}

const ASSETS: [Asset; 27] = files![
    "index.html",
    "colours.css",
    "layout.css",
    "tank.css",
    "icon.svg",
    "clients.js",
    "copy.js",
    "element.js",
    "events.js",
    "feed.js",
    "instance.js",
    "main.js",
    "pool.js",
    "range.js",
    "requests.js",
    "routes.js",
    "rows.js",
    "saved.js",
    "start.js",
    "strip.js",
    "table.js",
    "tank.js",
    "tanks.js",
    "theme.js",
    "trial.js",
    "verdict.js",
    "words.js",
];

/// The chart library, and what its licence asks for.
const UPLOT: [Asset; 3] = files!["uplot/uPlot.esm.js", "uplot/uPlot.min.css", "uplot/LICENSE"];

/// Nothing is loaded from elsewhere, and nothing runs that is not a file of the page.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Another version of the gate has another page at the same addresses.
const ALWAYS_ASK: &str = "no-cache";

/// The page at `/`, and its files below `/page/`.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let files = ASSETS.into_iter().chain(UPLOT);
    let served = |routes: Router<S>, file: Asset| {
        let (path, _) = file;
        let path = if path == "index.html" { "/".to_owned() } else { format!("/page/{path}") };
        routes.route(&path, get(async move || served(file)))
    };
    files.fold(Router::new(), served)
}

fn served((path, text): Asset) -> ([(HeaderName, &'static str); 5], &'static str) {
    let headers = [
        (CONTENT_TYPE, content_type(path)),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, ALWAYS_ASK),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs::read_dir;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let in_folder = |folder: &str| {
            let folder = Path::new("src/admin/page").join(folder);
            let entries = read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
            let files = entries.filter(|entry| entry.path().is_file());
            files.map(|entry| entry.file_name().into_string().expect("a name")).collect::<BTreeSet<_>>()
        };
        let served = |files: &[Asset]| files.iter().map(|&(path, _)| path.to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(served(&ASSETS), in_folder(""));
        let vendored = in_folder("uplot").into_iter().filter(|name| name != "README");
        assert_eq!(served(&UPLOT), vendored.map(|name| format!("uplot/{name}")).collect());
    }

    #[test]
    fn every_file_has_a_type_that_a_browser_takes() {
        let plain = ASSETS.iter().filter(|(path, _)| content_type(path).starts_with("text/plain"));
        assert_eq!(plain.count(), 0);
        assert_eq!(content_type("uplot/uPlot.esm.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("uplot/LICENSE"), "text/plain; charset=utf-8");
    }
}
