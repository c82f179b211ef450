use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, client::WantsClientCert};
use rustls_platform_verifier::BuilderVerifierExt;

/// Towards this URL: who is trusted there. Where it says nothing of TLS, nobody is.
///
/// # Errors
/// There is no TLS.
pub fn tls_towards(url: &Uri, authorities: Option<&Arc<RootCertStore>>) -> Result<ClientConfig, rustls::Error> {
    if url.scheme() == Some(&Scheme::HTTPS) { trusting(authorities) } else { unused() }
}

/// Trusts these authorities alone, else the system's, else, where it has none, the bundled ones.
fn trusting(authorities: Option<&Arc<RootCertStore>>) -> Result<ClientConfig, rustls::Error> {
    if let Some(authorities) = authorities {
        return Ok(finish(builder()?.with_root_certificates(Arc::clone(authorities))));
    }
    match builder()?.with_platform_verifier() {
        Ok(system) => Ok(finish(system)),
        Err(error) => {
            tracing::warn!(%error, "the system has no certificate authorities; the bundled ones (webpki-roots) are used");
            let bundled = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<RootCertStore>();
            Ok(finish(builder()?.with_root_certificates(bundled)))
        }
    }
}

fn unused() -> Result<ClientConfig, rustls::Error> {
    Ok(finish(builder()?.with_root_certificates(RootCertStore::empty())))
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()
}

fn finish(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> ClientConfig {
    builder.with_no_client_auth()
}

/// Also the process's default, for libraries that ask for that.
fn provider() -> Arc<CryptoProvider> {
    let _already_installed = ring::default_provider().install_default();
    Arc::new(ring::default_provider())
}
