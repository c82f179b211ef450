//! What the engine gets to see of the folder: what `.dockerignore` lets through.

use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Context {
    root: PathBuf,
    files: Vec<PathBuf>,
}

impl Context {
    pub(super) fn of(root: &Path) -> Self {
        let rules = Rules::read(&root.join(".dockerignore"));
        let mut files = Vec::new();
        collect(root, Path::new(""), &rules, &mut files);
        assert!(!files.is_empty(), ".dockerignore lets nothing through");
        Self { root: root.to_owned(), files }
    }

    pub(super) fn has(&self, file: &Path) -> bool {
        self.files.iter().any(|known| known == file)
    }

    /// What `COPY sources target` does, where `to` is the real folder or file that stands for the target.
    pub(super) fn copy(&self, sources: &[String], target: &str, to: &Path) {
        let into_folder = sources.len() > 1 || target.ends_with('/') || to.is_dir();
        for source in sources {
            let clean: PathBuf = Path::new(source).components().filter(|part| part.as_os_str() != ".").collect();
            let found: Vec<_> = self.files.iter().filter(|file| file.starts_with(&clean)).collect();
            assert!(!found.is_empty(), "COPY {source}: the context has nothing of that name");
            for file in found {
                let rest = file.strip_prefix(&clean).expect("it starts with it");
                let to = match rest.file_name() {
                    Some(_) => to.join(rest),
                    None if into_folder => to.join(file.file_name().expect("a file's name")),
                    None => to.to_owned(),
                };
                fs::create_dir_all(to.parent().expect("a folder")).expect("a folder to copy to");
                fs::copy(self.root.join(file), to).expect("a copy");
            }
        }
    }
}

fn collect(root: &Path, folder: &Path, rules: &Rules, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root.join(folder)).expect("a folder to read") {
        let entry = entry.expect("an entry");
        let path = folder.join(entry.file_name());
        if !entry.file_type().expect("a type").is_dir() {
            files.extend(rules.let_through(&path).then_some(path));
        } else if rules.let_through(&path) || rules.except_within(&path) {
            collect(root, &path, rules, files);
        }
    }
}

/// The lines of `.dockerignore`; the last that is about a path, or about a folder above it, decides.
struct Rules(Vec<Rule>);

struct Rule {
    lets_through: bool,
    /// `None`: everything.
    path: Option<PathBuf>,
}

impl Rules {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).expect(".dockerignore");
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(Rule::parse).collect())
    }

    fn let_through(&self, path: &Path) -> bool {
        let about = |rule: &&Rule| rule.path.as_ref().is_none_or(|of| path.starts_with(of));
        self.0.iter().rfind(about).is_none_or(|rule| rule.lets_through)
    }

    fn except_within(&self, folder: &Path) -> bool {
        let within = |rule: &Rule| rule.path.as_ref().is_some_and(|path| path.starts_with(folder));
        self.0.iter().any(|rule| rule.lets_through && within(rule))
    }
}

impl Rule {
    fn parse(line: &str) -> Self {
        let (lets_through, path) = line.strip_prefix('!').map_or((false, line), |path| (true, path));
        if path == "*" {
            return Self { lets_through, path: None };
        }
        assert!(!path.contains(['*', '?', '[', '\\']), "this test knows no pattern like {line} of .dockerignore");
        Self { lets_through, path: Some(path.trim_matches('/').into()) }
    }
}
