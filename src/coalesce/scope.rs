/// A resource by its path, `/`-separated and with a `/` at its end, so that what begins with it lies under it.
pub(super) type Resource = str;

/// How many `/` there are in a collection, as in `/v1/batches/`, and at most in one of its resources.
const COLLECTION: usize = 3;
const RESOURCE: usize = 4;

/// What a write to this path may change besides what it lies under: all that lies under it, and from an action on, as in
/// `/v1/batches/{id}/cancel/`, or a part of a resource, all under that resource. To a collection it adds one, and leaves
/// the others as they are.
pub(super) fn changed(write: &Resource) -> Option<&Resource> {
    match write.matches('/').count() {
        ..=COLLECTION => None,
        RESOURCE => Some(write),
        _ => write.trim_end_matches('/').rfind('/').map(|slash| &write[..=slash]),
    }
}

/// What a path lies under, itself included.
pub(super) fn ancestors(path: &Resource) -> impl Iterator<Item = &Resource> {
    path.match_indices('/').map(|(slash, _)| &path[..=slash])
}
