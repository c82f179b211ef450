use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier, client::WantsClientCert};
use rustls_platform_verifier::BuilderVerifierExt;

/// Why the upstream could not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read as certificates.
    #[error("upstream.ca_file {}: {error}", path.display())]
    CaFile {
        /// Which.
        path: PathBuf,
        /// Why.
        error: String,
    },
    /// The library's own complaint.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

/// Trusts the authorities in `ca_file` alone, else the system's, else, where it has none, the bundled ones.
pub(super) fn trusting(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    if let Some(path) = ca_file {
        return Ok(finish(builder()?.with_root_certificates(read(path)?)));
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

/// For upstreams without TLS: trusts nobody.
pub(super) fn unused() -> Result<ClientConfig, TlsError> {
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
    let _already_installed = aws_lc_rs::default_provider().install_default();
    Arc::new(aws_lc_rs::default_provider())
}

fn read(path: &Path) -> Result<RootCertStore, TlsError> {
    let unreadable = |error: String| TlsError::CaFile { path: path.to_owned(), error };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
    }
    if roots.is_empty() { Err(unreadable("no certificate in it".to_owned())) } else { Ok(roots) }
}
