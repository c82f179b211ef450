/// What a gate does while it does not hear the store, once its leases have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOutage {
    /// It uses its part of each limit, which the store sets aside for it: exact.
    Share,
    /// It sends nothing.
    Closed,
    /// It uses all of each limit: together the gates send up to so many times the limit as they are.
    Open,
}
