use http::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::exchange::ResponseMeter;
use super::state::Gate;
use super::websocket::WebSocketTurns;
use crate::upstream::{ResponseBody, carry};

/// Carries bytes, or messages of which some take from pools, both ways between two connections that have left HTTP; their request is in flight until they end.
pub(super) fn start(
    gate: &Gate,
    client: OnUpgrade,
    response: &mut Response<ResponseBody>,
    meter: Box<ResponseMeter>,
    turns: Option<Box<WebSocketTurns>>,
) {
    let upstream = hyper::upgrade::on(response);
    let cut = gate.cut.clone();
    gate.relays.spawn(async move {
        let _meter = meter;
        let relayed = async {
            match turns {
                Some(turns) => turns.relay(client, upstream).await,
                None => relay(client, upstream).await,
            }
        };
        if let Some(Err(error)) = cut.run_until_cancelled(relayed).await {
            tracing::debug!(%error, "a relayed connection broke off");
        }
    });
}

async fn relay(client: OnUpgrade, upstream: OnUpgrade) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (client, upstream) = tokio::try_join!(client, upstream)?;
    Ok(carry(TokioIo::new(client), TokioIo::new(upstream)).await?)
}
