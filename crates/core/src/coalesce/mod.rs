//! Single flight: identical GETs share one call, and one that has just landed serves those who come soon after. What is
//! shared is told apart byte by byte ([`Key`]), and a write under the same resource ends all sharing ([`Board::wrote`]).
//! What is asked for again and again keeps to its share of the pools that pay for it ([`Polls`]).

mod board;
mod calls;
mod key;
mod own;
mod polls;
mod scope;
mod status;

#[cfg(test)]
mod tests;

pub use board::{Board, Found, Ticket};
pub use key::{Key, can_change_the_answer};
pub use own::wants_its_own;
pub use polls::{LONGEST, Payer, Polls};
pub use status::Status;

/// Calls and answers at once. Of more, each goes alone. A guess: it bounds the memory, and no app polls so many things.
pub const MOST: usize = 10_000;
