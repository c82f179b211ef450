use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::gate::Gate;

/// How often it is looked whether a crowd has left. A guess.
const LOOK: Duration = Duration::from_secs(5);

/// How many connections make a crowd. A guess: what fewer leave behind is a few megabytes.
const CROWD: u64 = 64;

/// Gives the memory of a crowd that has left back to the system. For ever; to be dropped with the gate.
///
/// glibc keeps what was freed: after 9,000 requests that had waited had gone, 210 MB (`make bench`).
pub(super) async fn give_back(gate: Gate) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut closed, mut trimmed) = (0, 0);
    loop {
        looks.tick().await;
        let calm = gate.connections().closed - closed < CROWD;
        closed = gate.connections().closed;
        if calm && closed - trimmed >= CROWD {
            trimmed = closed;
            // It takes some milliseconds, in which no worker should stand still; that it ends is all there is to know.
            drop(tokio::task::spawn_blocking(trim).await);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "there is no safe way to call it, and every allocator that needs no call costs more")]
fn trim() {
    // SAFETY: malloc_trim(3) is thread-safe and asks nothing of its caller.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}
