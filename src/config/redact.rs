//! What of a configuration may be shown where something is wrong with it. People paste keys where a name belongs, write
//! keys that do not exist (`api_key = …`), and forget quotes; so only values of known settings that hold no secret are
//! shown. Every place stays what it was.

/// The configuration with everything illegible that may be secret: comments, values of settings that are not known to be
/// harmless, clients that have weights or names, and what belongs to no setting.
pub(super) fn redacted(text: &str) -> String {
    let mut reader = Reader { left: text, shown: String::with_capacity(text.len()), ..Reader::default() };
    while !reader.left.is_empty() {
        reader.step();
    }
    reader.shown
}

/// The value of a setting, illegible where it may be secret.
pub(super) fn shown_value(path: &[String], value: &str) -> String {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let schemes = ["https://", "http://"];
    let scheme = schemes.into_iter().find(|scheme| is_url(&path) && value.starts_with(scheme)).map_or(0, str::len);
    let is_shown = is_harmless(&path) && !value.contains("BEGIN");
    let masked = value[scheme..].chars().map(|c| if is_shown || c == '\n' { c } else { mask(c) });
    value[..scheme].chars().chain(masked).collect()
}

/// A text as it goes through; it need not be TOML, as just that may be wrong with it.
#[derive(Default)]
struct Reader<'t> {
    left: &'t str,
    shown: String,
    /// The table of the last header, and of each inline table within it.
    tables: Vec<Vec<&'t str>>,
    /// What the tokens before the next `=` name.
    key: Vec<&'t str>,
    place: TokenPlace,
    /// The lists and inline tables that are open.
    open: Vec<char>,
}

/// What a token is here.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum TokenPlace {
    #[default]
    Key,
    Value,
    /// Neither: a key without `=`, or more than one of them.
    Astray,
}

impl<'t> Reader<'t> {
    fn step(&mut self) {
        let first = self.left.chars().next().unwrap_or_default();
        match first {
            '#' => {
                let comment = self.take(|c| c == '\n');
                self.shown.extend(comment.bytes().map(|_| ' '));
            }
            '[' if self.place == TokenPlace::Key && self.open.is_empty() => self.header(),
            '"' | '\'' => self.token(true),
            '\n' | '=' | '[' | ']' | '{' | '}' | ',' => self.mark(first),
            _ if first.is_whitespace() => self.pass(first.len_utf8()),
            _ => self.token(false),
        }
    }

    fn header(&mut self) {
        let header = self.take(|c| matches!(c, '\n' | '#'));
        let name = header.trim().trim_matches(['[', ']']);
        self.tables = vec![name.split('.').map(plain).collect()];
        self.shown.push_str(header);
    }

    fn mark(&mut self, mark: char) {
        self.pass(1);
        match mark {
            '=' if self.place == TokenPlace::Key => self.place = TokenPlace::Value,
            '[' | '{' => {
                self.open.push(mark);
                if mark == '{' {
                    self.tables.push(std::mem::take(&mut self.key));
                    self.place = TokenPlace::Key;
                }
            }
            ']' | '}' => {
                if self.open.pop() == Some('{') {
                    self.key = self.tables.pop().unwrap_or_default();
                }
                self.place = TokenPlace::Value;
            }
            ',' if self.open.last() == Some(&'{') => self.begin(),
            '\n' if self.open.is_empty() => self.begin(),
            _ => {}
        }
    }

    /// A key comes next.
    fn begin(&mut self) {
        self.key.clear();
        self.place = TokenPlace::Key;
    }

    fn token(&mut self, is_quoted: bool) {
        let token =
            if is_quoted { self.quoted() } else { self.take(|c| c.is_whitespace() || "=[]{},#\"'".contains(c)) };
        if self.place == TokenPlace::Key {
            let next = self.left.trim_start_matches([' ', '\t']);
            let parts =
                if is_quoted { vec![plain(token)] } else { token.split('.').filter(|part| !part.is_empty()).collect() };
            self.key.extend(parts);
            if next.starts_with(['=', '.']) || token.ends_with('.') {
                let path = self.path();
                let is_of_client = path.starts_with(&["clients", "weights"]) || path.starts_with(&["clients", "names"]);
                let is_table = ["weights", "names", "clients.weights", "clients.names"].contains(&token);
                return self.show(token, is_of_client && !is_table && !plain(token).starts_with("client-"));
            }
            self.place = TokenPlace::Astray;
        }
        let is_shown = self.place == TokenPlace::Value && is_harmless(&self.path()) && !token.contains("BEGIN");
        let is_url = self.place == TokenPlace::Value && is_url(&self.path());
        let schemes = ["\"https://", "\"http://", "'https://", "'http://", "https://", "http://"];
        let scheme = schemes.into_iter().find(|scheme| is_url && token.starts_with(scheme)).map_or(0, str::len);
        self.shown.push_str(&token[..scheme]);
        self.show(&token[scheme..], !is_shown);
    }

    /// All tables and keys that lead here.
    fn path(&self) -> Vec<&'t str> {
        self.tables.iter().flatten().chain(&self.key).copied().collect()
    }

    fn show(&mut self, token: &str, is_secret: bool) {
        let masked = token.chars().map(|c| if is_secret && !matches!(c, '"' | '\'' | '\n') { mask(c) } else { c });
        self.shown.extend(masked);
    }

    fn pass(&mut self, bytes: usize) {
        let (passed, left) = self.left.split_at(bytes);
        self.shown.push_str(passed);
        self.left = left;
    }

    /// What comes up to there.
    fn take(&mut self, until: impl FnMut(char) -> bool) -> &'t str {
        let (token, left) = self.left.split_at(self.left.find(until).unwrap_or(self.left.len()));
        self.left = left;
        token
    }

    /// A text in quotes; one without an end ends with its line.
    fn quoted(&mut self) -> &'t str {
        let triple = ["\"\"\"", "'''"].into_iter().find(|triple| self.left.starts_with(triple));
        let end = if let Some(triple) = triple {
            self.left[3..].find(triple).map_or(self.left.len(), |at| at + 6)
        } else {
            let (quote, mut is_escaped) = (self.left.chars().next(), false);
            let ends = |(_, c): &(usize, char)| {
                let is_end = *c == '\n' || (Some(*c) == quote && !is_escaped);
                is_escaped = quote == Some('"') && *c == '\\' && !is_escaped;
                is_end
            };
            let end = self.left.char_indices().skip(1).find(ends);
            end.map_or(self.left.len(), |(at, c)| if c == '\n' { at } else { at + 1 })
        };
        let (token, left) = self.left.split_at(end);
        self.left = left;
        token
    }
}

/// A key without its quotes.
fn plain(key: &str) -> &str {
    key.trim().trim_matches(['"', '\''])
}

/// As long as the character, in bytes and on a screen.
fn mask(c: char) -> char {
    match c.len_utf8() {
        1 => '*',
        2 => '·',
        3 => '•',
        _ => '𝟎',
    }
}

fn is_url(path: &[&str]) -> bool {
    matches!(path, ["upstream", "url"] | ["log", "otlp"])
}

/// The settings whose values are no secret, whatever people write there by mistake.
fn is_harmless(path: &[&str]) -> bool {
    match path {
        ["server", key] => {
            ["listen", "admin", "allowed_hosts", "drain", "stall_timeout", "cert_file", "watch"].contains(key)
        }
        ["upstream", key] => {
            let times = ["connect_timeout", "response_timeout"];
            times.contains(key) || ["http2_connections", "ca_file", "learn"].contains(key)
        }
        ["extends" | "mode"] | ["upstream", "refusals", _] | ["clients", "weights" | "names", _] => true,
        ["queue", key] => {
            let most = ["max_waiting", "max_bytes", "max_in_flight", "max_wait"];
            most.contains(key) || ["ageing", "log_wait", "buffer"].contains(key)
        }
        ["clients", key] => ["quota", "by", "may_raise"].contains(key),
        ["replicas", key] => *key == "share",
        ["store", key] => ["path", "cold", "group", "on_outage"].contains(key),
        ["log", key] => ["access", "access_file", "sample"].contains(key),
        ["pools", _, key] => {
            let limits = ["requests", "tokens", "in_flight", "shape", "burst", "margin", "learn", "key"];
            let waits = ["max_waiting", "max_bytes", "max_wait", "when_full", "poll_share", "mode"];
            limits.contains(key) || waits.contains(key)
        }
        ["routes", key] => ["match", "pools", "priority", "keepalive", "coalesce", "reuse", "hold"].contains(key),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEFAULT;

    #[test]
    fn secrets_are_masked_wherever_they_are_written() {
        for text in [
            "[upstream]\napi_key_env = \"SECRET\"",
            "[upstream]\napi_key_env = SECRET",
            "[upstream]\napi_key_env = 'SECRET",
            "[upstream]\napi_key_env = \"\"\"\nSECRET\nSECRET\"\"\"",
            "[upstream]\n\"api_key_env\" = [\n  \"SECRET\",\n  SECRET\n]",
            "[upstream]\napi_key_env \"SECRET\"",
            "upstream.api_key_env = \"SECRET\"",
            "upstream . api_key_env = \"SECRET\"",
            "upstream = { learn = true, api_key_env = \"SECRET\", learn = true, url = 'SECRET' }",
            "[upstream]\nurl = \"https://SECRET%40host\"",
            "[upstream]\nurl = \"https://user:SECRET/SECRET@host\"",
            "[upstream]\nurl = https://host/?key=SECRET",
            "[upstream]\nurl = \"user:SECRET@host\"",
            "[log]\notlp = \"https://SECRET:SECRET@host\"",
            "[server]\nkey_file = \"\"\"-----BEGIN PRIVATE KEY-----\nSECRET\"\"\"",
            "[server]\nkey_file = \"SECRET\"\ncert_file = \"-----BEGIN PRIVATE KEY----- SECRET\"",
            "[clients.weights]\nSECRET = 3\n\"Bearer SECRET\" = 3",
            "[clients]\nweights = { SECRET = 3, \"Bearer SECRET\" = 3 }",
            "clients.weights.SECRET = 3",
            "[clients.names]\nSECRET = \"x\"\n\"Bearer SECRET\" = \"y\"",
            "clients.names.SECRET = \"x\"",
            "[upstream]\napi_key = \"SECRET\"",
            "[openai]\nkey = \"SECRET\"\nrequests = \"SECRET\"",
            "OPENAI_API_KEY=SECRET",
            "export OPENAI_API_KEY=SECRET",
            "SECRET",
            "SECRET SECRET = 3",
            "[queue]\nmax_wait = \"1m\" # SECRET",
            "# SECRET",
            "[upstream]\napi_key_env = \"a\\\"SECRET\"",
            "[upstream]\napi_key_env = \"é🔒SECRET\"",
        ] {
            let shown = redacted(text);
            assert!(!shown.contains("SECRET"), "{text}\n{shown}");
            assert_eq!((shown.len(), shown.chars().count()), (text.len(), text.chars().count()), "{shown}");
            let ends = |text: &str| text.match_indices('\n').map(|(at, _)| at).collect::<Vec<_>>();
            assert_eq!(ends(&shown), ends(text), "{shown}");
        }
    }

    #[test]
    fn settings_without_secrets_are_shown() {
        for text in [
            "[pools.a]\nrequests = [\n\"3/min\", \"4/h\"]\n[[routes]]\nmatch = \"GET /v1/x\"\npools = [\"a:2\"]\n",
            "[queue]\nmax_wait = nonsense\nbuffer = 3\n",
            "clients = { by = [\"x\", \"y\"], quota = \"y\" }\nserver = { listen = \"x\", drain = \"y\" }\nqueue.buffer = 3\n",
            "[clients.weights]\nclient-0123 = 4\n",
            "[upstream.refusals]\nno_money = \"billing\"\n",
        ] {
            assert_eq!(redacted(text), text);
        }
        let code = |text: &str| {
            text.lines()
                .map(|line| line.split('#').next().unwrap_or_default().trim_end().to_owned())
                .collect::<Vec<_>>()
        };
        let shown = redacted(DEFAULT);
        assert_eq!(
            code(&shown),
            code(DEFAULT)
                .iter()
                .map(|line| line.replace("https://api.openai.com", "https://**************"))
                .collect::<Vec<_>>()
        );
    }
}
