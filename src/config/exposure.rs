use super::Config;
use crate::client::is_loopback;

/// What of a configuration lets others spend or read a key, in words for the log.
#[must_use]
pub fn exposures(config: &Config) -> Vec<String> {
    let (listen, url) = (config.server.listen, &config.upstream.url);
    let mut found = Vec::new();
    if config.upstream.api_key_env.is_some() && !listen.ip().to_canonical().is_loopback() {
        found.push(format!(
            "the gate adds its key to every request (upstream.api_key_env), and {listen} can be reached from other machines: \
             whatever reaches it spends the key"
        ));
    }
    if url.scheme_str() == Some("http") && !url.host().is_some_and(is_loopback) {
        found.push(format!("keys and requests go to {url} unencrypted; use https:// unless the network is trusted"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    #[test]
    fn keys_that_others_can_reach_are_warned_of() {
        let key = "api_key_env = \"OPENAI_API_KEY\"";
        for (listen, upstream, found) in [
            ("127.0.0.1:0", "url = \"http://127.0.0.1:8000\"", 0),
            ("[::1]:0", "url = \"http://localhost:8000\"", 0),
            ("[::ffff:127.0.0.1]:0", key, 0),
            ("0.0.0.0:0", "", 0),
            ("0.0.0.0:0", key, 1),
            ("[::]:0", key, 1),
            ("127.0.0.1:0", "url = \"http://vllm:8000\"", 1),
            ("127.0.0.1:0", "url = \"https://example.com\"", 0),
            ("192.168.1.5:0", &format!("{key}\nurl = \"http://10.0.0.1\""), 2),
        ] {
            let text = format!("[server]\nlisten = \"{listen}\"\n[upstream]\n{upstream}");
            let config = Config::parse(&Source::Text("test".to_owned()), &text).expect("a valid configuration");
            assert_eq!(exposures(&config).len(), found, "{listen} {upstream}");
        }
    }
}
