use super::{Wording, is_of_assistants};
use crate::admission::{Cause, ReachedLimit};
use crate::hints::RefusalCause;
use crate::limit::{Rate, Unit};
use crate::route::RouteId;

impl Wording<'_> {
    /// What to do, if there is anything.
    pub(in crate::admin) fn advice(&self) -> Option<String> {
        let advice = match self.state.diagnosis.cause {
            Cause::WithinLimits | Cause::NotEnoughEvidence { refused: None } => return None,
            Cause::NotEnoughEvidence { .. } => {
                "Wait and see: the gate sends it again and keeps below what was refused; another refusal will tell."
                    .into()
            }
            Cause::OwnLimit { limit } => self.own_limit_advice(limit),
            Cause::Bursts { burst, .. } => format!(
                "Nothing is lost. To have it from the start, write shape = \"smooth\", burst = {burst} in [pools.{}].",
                self.pool.name
            ),
            Cause::LowerLimit { limit, configured, .. } => self.lower_advice(limit, configured),
            Cause::Shared { .. } => {
                "Find who else uses this organization's keys, and send it through this gate too, or write down a share \
                 for each. Until then the gate takes what is left."
                    .into()
            }
            Cause::Throttled { cause: RefusalCause::Ramp, .. } => {
                "Let the load grow by no more than half in 15 minutes; the gate now holds it to that.".into()
            }
            Cause::Throttled { .. } => {
                "Nothing on this side helps: sending less changes nothing. The gate backs off and tries again; see the \
                 upstream's status page."
                    .into()
            }
            Cause::Gone { route, .. } => self.gone_advice(route),
            Cause::Billing { .. } => {
                "Waiting cannot help: look at plan, balance and spend limits, of the organization and \
                                     of the project."
                    .into()
            }
        };
        Some(advice)
    }

    fn own_limit_advice(&self, bound: ReachedLimit) -> String {
        let name = &self.pool.name;
        match bound {
            ReachedLimit::Window { reported: false, .. } => format!(
                "Send less of it, or, if your account has more, write more into [pools.{name}]: the upstream refused none."
            ),
            ReachedLimit::InFlight(_) => format!("Raise in_flight in [pools.{name}], or make the answers shorter."),
            ReachedLimit::Window { reported: true, .. } | ReachedLimit::Exhausted { .. } => {
                "Send less of it, use another model beside it, or have the account's limit raised.".to_owned()
            }
        }
    }

    fn lower_advice(&self, limit: Rate, configured: Option<Rate>) -> String {
        let (name, limit) = (&self.pool.name, limit.rounded());
        if configured.is_none() {
            return format!(
                "The gate keeps to it. To have it from the start, write a pool with requests = [\"{limit}\"] for it."
            );
        }
        let unit = if self.pool.limits.unit == Unit::Tokens { "tokens" } else { "requests" };
        format!(
            "The gate keeps to it and tries for more. To have it from the start, write {unit} = [\"{limit}\"] in [pools.{name}]."
        )
    }

    fn gone_advice(&self, route: RouteId) -> String {
        if is_of_assistants(&self.kind(route)) {
            return "Move to the Responses API (POST /v1/responses, /v1/conversations), or send these to a server that still \
                    has Assistants: upstream.url."
                .to_owned();
        }
        "Look at the path, at the model that is named, and at upstream.url: the upstream knows nothing there."
            .to_owned()
    }
}
