//! The lab of Tidegate: what stands in for the upstream and for the apps, to try a configuration without either.
//!
//! It uses `tidegate-core` and never the proxy, so the mock server and the simulator know of a configuration only what
//! [`Settings`](tidegate_core::settings::Settings) say. The binary has it by its feature `lab`; the tests use it too.
//!
//! | module | one purpose |
//! |---|---|
//! | [`mock`] | a server that answers like OpenAI and enforces limits |
//! | [`simulate`] | traffic through the real scheduler on a virtual clock |
//! | [`demo`] | the demo's traffic: workers that send requests and retry as an SDK does |

pub mod demo;
pub mod mock;
pub mod simulate;

use tidegate_core::{
    client, coalesce, credential, hints, limit, meter, problem, queue, refusal, route, scheduler, settings,
};
