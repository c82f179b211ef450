/// A test's configuration with the pools and routes that it writes, and no others. One that writes none has the built-in
/// ones.
pub(crate) fn alone(config: &str) -> String {
    let is_own = ["[pools.", "pools.", "[[routes]]", "routes ="].iter().any(|part| config.contains(part));
    if is_own && !config.contains("extends =") { format!("extends = \"none\"\n{config}") } else { config.to_owned() }
}
