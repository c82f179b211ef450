/// A resource by its path, `/`-separated and with a `/` at its end, so that what begins with it lies under it.
pub(super) type Resource = str;

/// Where the actions on a resource begin: `/v1/batches/{id}/cancel/` has four segments.
const ACTION: usize = 4;

/// What a write to this path may change besides what it lies under: all that lies under it, and from an action on, or a
/// part of a resource, all under that resource.
pub(super) fn changed(write: &Resource) -> &Resource {
    if write.matches('/').count() <= ACTION {
        return write;
    }
    let end = write.trim_end_matches('/').rfind('/').map_or(write.len(), |slash| slash + 1);
    &write[..end]
}

/// What a path lies under, itself included.
pub(super) fn ancestors(path: &Resource) -> impl Iterator<Item = &Resource> {
    path.match_indices('/').map(|(slash, _)| &path[..=slash])
}
