use super::Check;
use crate::config::file::{self, ColdStart};
use crate::config::{StoreConfig, StorePath};
use crate::problem::Problem;

impl Check {
    pub(super) fn store(&mut self, file: &file::Store) -> StoreConfig {
        let path = file.path.as_ref().map_or(StorePath::Usual, |text| match text.as_ref().trim() {
            "off" => StorePath::Off,
            "" => {
                let mend = "write a file, as in \"/var/lib/tidegate/state.json\", or \"off\"; or take it out, for the usual one";
                self.problems.push(Problem::new("no path", text.span(), "names nothing", mend));
                StorePath::Off
            }
            _ => StorePath::File(text.as_ref().into()),
        });
        StoreConfig { path, starts_full: file.cold == Some(ColdStart::Full) }
    }
}
