/// The name of an environment variable that holds a key. It may be the key itself, pasted there by mistake.
#[derive(Clone)]
pub struct KeyVariable {
    pub(super) name: String,
    pub(super) place: String,
}

impl KeyVariable {
    /// The key, if the variable is set.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        std::env::var(&self.name).ok()
    }

    /// Its name, if there is such a variable; any other may be a secret.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        std::env::var_os(&self.name).map(|_| &*self.name)
    }

    /// Where the configuration names it, as in `tidegate.toml:7:15`.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl std::fmt::Debug for KeyVariable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyVariable").field("place", &self.place).finish_non_exhaustive()
    }
}
