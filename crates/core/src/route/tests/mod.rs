mod bases;
mod bodies;
#[expect(dead_code, reason = "the bench needs all of it")]
#[path = "../../../../../benches/tokens/corpus.rs"]
mod corpus;
mod estimates;
mod forms;
mod keys;
mod naive;
mod precedence;
mod reach;
