use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, client::WantsClientCert};
use rustls_platform_verifier::BuilderVerifierExt;

/// Trusts these authorities alone, else the system's, else, where it has none, the bundled ones.
///
/// # Errors
/// There is no TLS.
pub(super) fn tls_towards(authorities: Option<&Arc<RootCertStore>>) -> Result<ClientConfig, rustls::Error> {
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
