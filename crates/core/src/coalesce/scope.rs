/// A resource by its path, `/`-separated and with a `/` at its end, so that what begins with it lies under it.
pub(super) type Resource = str;

/// What is made in a collection, as by `POST /v1/responses`, changes none of what is there. Its path has three `/`,
/// with the one at its end.
const COLLECTION: usize = 3;

/// Where the actions on a resource begin: `/v1/batches/{id}/cancel/` has more than four.
const ACTION: usize = 4;

/// Whose parts a write to this path may change, besides what it lies under: its own, and from an action on, or a part of
/// a resource, those of that resource.
pub(super) fn changed(write: &Resource) -> Option<&Resource> {
    match write.matches('/').count() {
        0..=COLLECTION => None,
        ACTION => Some(write),
        _ => Some(&write[..=write.trim_end_matches('/').rfind('/')?]),
    }
}

/// What a path lies under, itself included.
pub(super) fn ancestors(path: &Resource) -> impl Iterator<Item = &Resource> {
    path.match_indices('/').map(|(slash, _)| &path[..=slash])
}
