use http::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use super::exchange::ResponseMeter;
use super::state::Gate;
use crate::upstream::ResponseBody;

/// Carries bytes both ways between two connections that have left HTTP; their request is in flight until they end.
pub(super) fn start(gate: &Gate, client: OnUpgrade, response: &mut Response<ResponseBody>, meter: Box<ResponseMeter>) {
    let upstream = hyper::upgrade::on(response);
    let cut = gate.cut.clone();
    gate.relays.spawn(async move {
        let _meter = meter;
        if let Some(Err(error)) = cut.run_until_cancelled(carry(client, upstream)).await {
            tracing::debug!(%error, "a relayed connection broke off");
        }
    });
}

async fn carry(client: OnUpgrade, upstream: OnUpgrade) -> Result<(u64, u64), Box<dyn std::error::Error + Send + Sync>> {
    let (client, upstream) = tokio::try_join!(client, upstream)?;
    Ok(copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await?)
}
